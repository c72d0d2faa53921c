"""Validates AsyncAPI documents by the official schema, and payloads by the schemas in a document. Reads and writes JSON."""

import json
import sys

from jsonschema import Draft7Validator


def errors(validator, value):
    return [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(value)]


with open(sys.argv[1]) as file:
    official = Draft7Validator(json.load(file))
given = json.load(sys.stdin)
answer = {"documents": [errors(official, document) for document in given.get("documents", [])]}
if "payloads" in given:
    for schema in given["of"]["components"]["schemas"].values():
        Draft7Validator.check_schema(schema)
    root = {"$ref": f"#/components/schemas/{given['schema']}", "components": given["of"]["components"]}
    answer["payloads"] = [errors(Draft7Validator(root), payload) for payload in given["payloads"]]
json.dump(answer, sys.stdout)
