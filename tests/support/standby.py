"""A standby of an embedded server: a real one, made by pg_basebackup and following its primary."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL

from pyapi.embedded import Embedded
from tests.support.databases import connect, folder_of_a_server


@contextmanager
def standby_of(primary: Embedded) -> Iterator[URL]:
    """A running standby, as its superuser. It has what the primary had committed before."""
    server = primary.url("postgres")
    with connect(server) as connection:
        row = connection.execute("select current_setting('data_directory') as folder").fetchone()
        assert row is not None
        cluster = Path(row["folder"])
        with (cluster / "pg_hba.conf").open("a") as access:
            access.write("local replication all peer map=embedded\n")
        connection.execute("select pg_reload_conf()")
        connection.execute("checkpoint")
    account = cluster.stat()

    with folder_of_a_server() as name:
        folder, copy = Path(name), Path(name) / "standby"
        os.chown(folder, account.st_uid, account.st_gid)

        def run(program: str, *arguments: str) -> None:
            # Servers do not run as root; who made the primary runs its standby.
            as_account = {"user": account.st_uid, "group": account.st_gid} if os.geteuid() == 0 else {}
            subprocess.run(
                [primary.programs / program, *arguments],
                check=True,
                cwd=folder,
                stdout=subprocess.DEVNULL,
                **as_account,  # type: ignore[arg-type]
            )

        run("pg_basebackup", "--pgdata", str(copy), "--checkpoint=fast", "--write-recovery-conf",
            "--host", primary.socket_folder, "--username", "postgres")  # fmt: skip
        run("pg_ctl", "start", "--wait", "--pgdata", str(copy), "--log", str(folder / "log"),
            "--options", f"-c listen_addresses='' -c unix_socket_directories='{folder}'")  # fmt: skip
        try:
            yield server.update_query_dict({"host": str(folder)})
        finally:
            run("pg_ctl", "stop", "--wait", "--mode=immediate", "--pgdata", str(copy))
            shutil.rmtree(copy)
