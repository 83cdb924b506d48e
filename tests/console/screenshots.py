"""``make screenshots``: pictures of the product's pages, with the sample and a little life in it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pyapi.embedded import embedded
from pyapi.schema import migrate
from tests.support.browser import PHONE, SCREEN, Visitor, started, write_picture
from tests.support.databases import FAST, connect, engine, folder_of_a_server
from tests.support.life import add_life
from tests.support.projects import PROJECT
from tests.support.samples import load_every_sample
from tests.support.sites import Site, serving


class Picture(NamedTuple):
    """A page and how it is looked at; ``size`` is that of the picture, in pixels."""

    name: str
    path: str
    size: tuple[int, int] = SCREEN
    dark: bool = False


# For pages that say all they have to say in less.
LOW = (1200, 640)
# The ids are those that the sample and tests.support.life give.
PICTURES = [
    Picture("overview", "/console"),
    Picture("report", "/console/reports/us/6"),
    Picture("rerun", "/console/reports/us/4/rerun"),
    Picture("act", "/console/acts/5", size=LOW),
    Picture("undo", "/console/acts/5/undo", size=LOW),
    Picture("batch", "/console/batches/1"),
    Picture("history", "/console/history", size=LOW),
    Picture("defects", "/console/defects", size=LOW),
    Picture("doctor", "/console/doctor", size=LOW),
    Picture("carbon-unit", "/console/carbon/units/1"),
    Picture("report-dark", "/console/reports/us/6", dark=True),
    Picture("report-phone", "/console/reports/us/6", size=PHONE),
]


@contextmanager
def lively_site() -> Iterator[Site]:
    """The product on a PostgreSQL of its own, without authentication."""
    with folder_of_a_server() as folder, embedded(Path(folder), 18, settings=FAST) as server:
        database = server.url(database="postgres")
        migrate.upgrade(engine(database))
        with connect(database) as connection:
            load_every_sample(connection)
            add_life(connection)
        with serving(database) as site:
            yield site


def main() -> None:
    """Write the pictures; a page that has a problem is an error."""
    options = argparse.ArgumentParser(prog="make screenshots", description=__doc__)
    options.add_argument("names", nargs="*", metavar="NAME", help="only the pictures of which the name has this in it")
    options.add_argument("--folder", type=Path, default=PROJECT / "docs" / "console")
    given = options.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    chosen = [picture for picture in PICTURES if not given.names or any(name in picture.name for name in given.names)]
    problems = []
    with lively_site() as site, started() as browser:
        for picture in chosen:
            visitor = Visitor(browser, site.url, size=picture.size, dark=picture.dark)
            visitor.page.goto(picture.path)
            path = given.folder / f"{picture.name}.png"
            write_picture(visitor.page, path)
            problems += [f"{picture.path}: {problem}" for problem in visitor.problems()]
            visitor.close()
            print(f"{path}  {path.stat().st_size / 1024:.0f} KB")
    if problems:
        raise SystemExit("\n".join(problems))


if __name__ == "__main__":
    main()
