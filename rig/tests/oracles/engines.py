"""Reads files of engines as those engines do: [{"kind", "text"}] in; for each what is in it, and what its schema refuses, as JSON out.

Kinds: "github" and "gitlab" are held against the schemas that check-jsonschema carries, "kubernetes" against those of kubernetes-validate, of the oldest version for
which the files are and of the newest one. Nothing of rig is known here.
"""

import json
import pathlib
import sys

import jsonschema
import kubernetes_validate
import ruamel.yaml
import yaml

OLDEST = "1.33"
FILES = {"github": "github-workflows.json", "gitlab": "gitlab-ci.json"}


def documents(text):
    # YAML 1.2, as GitHub reads it: `on` is a word. Kubernetes and GitLab read 1.1.
    new = [one for one in ruamel.yaml.YAML(typ="safe", pure=True).load_all(text) if one is not None]
    old = [one for one in yaml.safe_load_all(text) if one is not None]
    return new, old


def refused_by_schema(kind, document):
    # Not imported: of that package only the files are installed.
    folder = next(path for path in map(pathlib.Path, sys.path) if (path / "check_jsonschema").is_dir())
    schema = json.loads((folder / "check_jsonschema/builtin_schemas/vendor" / FILES[kind]).read_text())
    validator = jsonschema.validators.validator_for(schema)(schema)
    return [f"{one.json_path}: {one.message}" for one in validator.iter_errors(document)]


def refused_by_kubernetes(document):
    refused = []
    for version in (OLDEST, kubernetes_validate.latest_version()):
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as wrong:
            refused.append(f"{version}: {wrong.json_path}: {wrong.message}")
    return refused


def judged(kind, text):
    new, old = documents(text)
    if kind == "kubernetes":
        refused = [line for document in old for line in refused_by_kubernetes(document)]
    else:
        refused = [line for document in new for line in refused_by_schema(kind, document)]
    return {"documents": new, "refused": refused, "same": kind == "github" or new == old}


json.dump([judged(one["kind"], one["text"]) for one in json.load(sys.stdin)], sys.stdout)
