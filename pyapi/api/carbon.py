"""The routes of carbon reports. Paths, JSON and errors are those of the carbon calculator that they were made for."""

from flask import Blueprint

from pyapi.api.carbon_entries import entries
from pyapi.api.carbon_explore import explore
from pyapi.api.carbon_lists import lists
from pyapi.api.carbon_reports import reports
from pyapi.api.carbon_session import session
from pyapi.api.carbon_totals import totals
from pyapi.api.requests import DETAIL_PREFIX

__all__ = ["carbon"]

carbon = Blueprint("carbon", __name__, url_prefix=DETAIL_PREFIX)
for resource in (session, explore, reports, lists, entries, totals):
    carbon.register_blueprint(resource)
