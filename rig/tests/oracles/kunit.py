"""Reads KTAP with the kernel's tools/testing/kunit, whose folder is the argument; says how many results of each kind it counted, as JSON."""

import inspect
import json
import sys

# What it prints for people goes elsewhere.
answer, sys.stdout = sys.stdout, sys.stderr
sys.path.insert(0, sys.argv[1])

import kunit_parser

arguments = [sys.stdin.read().splitlines()]
if len(inspect.signature(kunit_parser.parse_run_tests).parameters) > 1:
    # Newer ones are told where to print.
    import kunit_printer

    arguments.append(kunit_printer.Printer())
counts = kunit_parser.parse_run_tests(*arguments).counts
json.dump({"passed": counts.passed, "failed": counts.failed, "skipped": counts.skipped, "errors": counts.errors}, answer)
