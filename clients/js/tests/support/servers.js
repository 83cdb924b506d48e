// Servers of the tests, on loopback: one that records what it is sent, and pgreprise itself.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const PROJECT = fileURLToPath(new URL("../../../../", import.meta.url));

/**
 * Records every request, and answers it with a status.
 *
 * @param {() => number} status
 */
export async function recorder(status) {
  /** @type {{method?: string, url?: string, headers: http.IncomingHttpHeaders, body: string}[]} */
  const requests = [];
  const server = http.createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    const { method, url, headers } = request;
    requests.push({ method, url, headers, body: Buffer.concat(parts).toString() });
    response.writeHead(status(), { "Content-Type": "application/json" }).end("{}");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { requests, url: addressOf(server), close: () => closed(server) };
}

/**
 * Hands requests on to another server, and breaks the connection instead of handing back the first answers.
 *
 * @param {string} target
 * @param {number} lost
 */
export async function losingProxy(target, lost) {
  let left = lost;
  const server = http.createServer((request, response) => {
    const onward = http.request(
      target + request.url,
      { method: request.method, headers: request.headers },
      (answer) => {
        if (left > 0) {
          left -= 1;
          answer.resume().on("end", () => request.socket.destroy());
        } else {
          response.writeHead(answer.statusCode ?? 500, answer.headers);
          answer.pipe(response);
        }
      },
    );
    request.pipe(onward);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: addressOf(server), close: () => closed(server) };
}

/** @param {net.Server} server */
function addressOf(server) {
  return `http://127.0.0.1:${/** @type {net.AddressInfo} */ (server.address()).port}`;
}

/** @param {http.Server} server */
async function closed(server) {
  server.closeAllConnections();
  server.close();
  await once(server, "close");
}

/** The command of the checkout, or undefined where `make` has not installed it. */
export function pgreprise() {
  const program = path.join(PROJECT, ".venv", "bin", "pgreprise");
  return existsSync(program) ? program : undefined;
}

/**
 * PostgreSQL, the sample and the API, as `make run` starts them, with data that is thrown away.
 *
 * @param {string} program
 */
export async function api(program) {
  const folder = await mkdtemp(path.join(os.tmpdir(), "pgreprise-test-"));
  const port = await unusedPort();
  const kept = Object.entries(process.env).filter(
    ([name]) => name !== "DATABASE_URL" && !name.startsWith("PGREPRISE_"),
  );
  const server = spawn(program, ["up", "--port", String(port)], {
    cwd: folder,
    env: { ...Object.fromEntries(kept), PGREPRISE_DATA: folder },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const stop = async () => {
    if (server.exitCode === null && server.signalCode === null) {
      server.kill("SIGTERM");
      await once(server, "exit");
    }
    await rm(folder, { recursive: true });
  };
  for await (const line of createInterface({ input: server.stdout })) {
    // What it prints later is not waited for, and does not fill the pipe.
    if (line.includes("psql> call")) {
      server.stdout.resume();
      return { url: `http://127.0.0.1:${port}`, stop };
    }
  }
  await stop();
  throw new Error("pgreprise did not start; what it said stands above.");
}

async function unusedPort() {
  const probe = net.createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = /** @type {net.AddressInfo} */ (probe.address());
  probe.close();
  await once(probe, "close");
  return port;
}
