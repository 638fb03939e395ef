"""Alerts: what watches over accounts and evidence, and tells people through records.

Anything that finds something people must look at calls one function of one object::

    lab.alerts().raise_alert("fixity", "critical", "Object 5d3f… differs from its hash.", ["IMG-2026-00012"])

The answer is the alert's number. The same happening raises one alert: ``bucket`` names it, and where it is
left out, kind, records and UTC day name it. An alert is delivered by being there: lists, the command line and
the interface show it. Mail is not sent, so there is no mail queue that could fail unseen.
"""

from __future__ import annotations

from coverslip.alerts.raising import Alerts as Alerts
