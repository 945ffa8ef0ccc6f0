"""Reads what rig writes with the readers of others: {"junit", "openmetrics", "kcidb"} as texts in, what they understood out, as JSON.

Nothing of rig is known here. A text that a reader does not accept ends the script with its error.
"""

import json
import sys

import junitparser
import kcidb_io
from prometheus_client import parser as text_format
from prometheus_client.openmetrics import parser as openmetrics_format


def junit(text):
    suites = junitparser.JUnitXml.fromstring(text.encode())
    return [
        {
            "name": suite.name,
            "time": suite.time,
            "timestamp": suite.timestamp,
            "properties": {one.name: one.value for one in suite.child(junitparser.Properties) or []},
            "results": [
                {
                    "name": case.name,
                    "place": case.classname,
                    "time": case.time,
                    "results": [type(one).__name__.lower() for one in case.result],
                    "properties": {one.name: one.value for one in case.child(junitparser.Properties) or []},
                }
                for case in suite
            ],
        }
        for suite in suites
    ]


def samples(families):
    return [[one.name, one.labels, one.value] for family in families for one in family.samples]


def metrics(text):
    families = list(openmetrics_format.text_string_to_metric_families(text))
    return {
        "types": {one.name: one.type for one in families},
        "units": {one.name: one.unit for one in families if one.unit},
        "samples": samples(families),
        # The collector of node_exporter reads the older text format.
        "collected": samples(text_format.text_string_to_metric_families(text)),
    }


def kcidb(text):
    schema = kcidb_io.schema.V5_3
    report = schema.validate(json.loads(text))
    return {"compatible": schema.is_compatible(report), "tests": [one["status"] for one in report["tests"]]}


asked = json.load(sys.stdin)
json.dump({"junit": junit(asked["junit"]), "openmetrics": metrics(asked["openmetrics"]), "kcidb": kcidb(asked["kcidb"])}, sys.stdout)
