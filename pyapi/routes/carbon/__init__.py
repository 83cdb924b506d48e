"""Carbon reports: the routes of an application that exists, its paths, its JSON and its form of errors."""

from flask import Blueprint

from pyapi.routes.carbon.explore import explore
from pyapi.routes.carbon.modules import modules
from pyapi.routes.carbon.reports import reports
from pyapi.routes.carbon.totals import totals
from pyapi.routes.requests import DETAIL_PREFIX

__all__ = ["carbon"]

carbon = Blueprint("carbon", __name__, url_prefix=DETAIL_PREFIX)
for resource in (explore, reports, modules, totals):
    carbon.register_blueprint(resource)
