"""Tests of the chart's files, whatever renders them: comments, schema, the README's table."""
import json
import re
import unittest

import reference
from helm import CHART


class Files(unittest.TestCase):
    """What holds for the chart's source."""

    def test_each_template_begins_with_a_line_that_says_why(self):
        for template in (CHART / "templates").rglob("*.*"):
            self.assertRegex(template.read_text().splitlines()[0], r"^{{- /\* .{20,} \*/ -}}$", template.name)

    def test_nothing_rendered_depends_on_a_cluster_the_clock_or_chance(self):
        for template in (p for p in (CHART / "templates").rglob("*") if p.is_file()):
            calls = re.findall(r"\b(lookup|now|rand\w+|uuidv4|gen[A-Z]\w+|derivePassword|htpasswd|getHostByName)\b",
                               re.sub(r"{{- /\*.*?\*/ -}}", "", "".join(re.findall(r"{{.*?}}", template.read_text()))))
            self.assertEqual(calls, [], template.name)

    def test_the_readme_lists_the_values_as_they_are(self):
        self.assertEqual((CHART / "README.md").read_text(), reference.readme(), "run charts/tests/reference.py --write")

    def test_the_schema_knows_the_values_and_no_others(self):
        def leaves(schema, path=()):
            for name, value in schema["properties"].items():
                if "properties" in value:
                    # What is global is for other charts as well.
                    self.assertIs(value.get("additionalProperties", True), name == "global", name)
                    self.assertEqual(value["required"], list(value["properties"]), name)
                    yield from leaves(value, (*path, name))
                else:
                    yield ".".join((*path, name))
        schema = json.loads((CHART / "values.schema.json").read_text())
        self.assertIs(schema["additionalProperties"], False)
        self.assertEqual(list(leaves(schema)), [path for path, _, text in reference.values() if text])
