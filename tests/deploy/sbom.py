# SPDX-License-Identifier: Apache-2.0
"""Is this a bill of materials, and whole? sbom.py FILE PACKAGES: a CycloneDX document in JSON, the image's own list."""
import json
import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator


def main(path, packages):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    wrong = JsonStrictValidator(SchemaVersion.V1_5).validate_str(text)
    assert wrong is None, str(wrong.data.message if hasattr(wrong.data, "message") else wrong)[:500]
    # A document with a foreign member is refused, so the check above is one.
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(text.replace('"components"', '"parts"', 1)) is not None
    bill = json.loads(text)
    with open(packages, encoding="utf-8") as file:
        expected = {tuple(line.split()) for line in file}
    found = {(part["name"], part["version"]) for part in bill["components"] if part["type"] == "library"}
    assert found == expected, found ^ expected
    assert all(part["hashes"] for part in bill["components"] if part["type"] == "application")
    without = [part["name"] for part in bill["components"] if not part.get("licenses")]
    assert len(without) < len(found) / 4, f"no licence is known of {without}"


if __name__ == "__main__":
    main(*sys.argv[1:])
