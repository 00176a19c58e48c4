# SPDX-License-Identifier: Apache-2.0
"""exportctl report: the page of a run, read by an HTML parser that is not ours. How it looks: tests/run page."""
import html.parser
import json
import re
import stat

from support.failing import Failing

VOID = {"meta", "link"}
DEAD_AT_ONCE = "22012"


class Page(html.parser.HTMLParser):
    """The texts of each section and what a browser would fetch or run; refuses tags that are not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.section, self.texts, self.commands, self.attributes = [], "head", {}, [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, *one) for one in attrs]
        if tag == "section":
            self.section = dict(attrs)["id"]
        if tag == "code" and dict(attrs).get("class") == "command":
            self.commands.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, *one) for one in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag == "section":
            self.section = "after"

    def handle_data(self, data):
        self.texts[self.section] = self.texts.get(self.section, "") + data
        if "code" in self.open and self.commands and self.open[self.open.index("code"):] in (["code"], ["code", "span"]):
            self.commands[-1] += data


def read(path):
    return Page(path.read_text(encoding="utf-8"))


def test_report__a_night_with_a_failed_group__one_page_says_all(pipe, tmp_path):
    hostile = f"{pipe.suffix} <b>it's & \"quoted\"</b>"
    failing = Failing(pipe.database)
    big, bad = pipe.new_group(rows=300), pipe.new_group(rows=2, group_id=hostile)
    pipe.new_group("NON_COST_BASED", rows=3), pipe.new_group()
    pipe.worker()
    assert pipe.scheduler("--run=2026-11-21", "--schedule.wait=60s").code == 0
    failing.fail(bad, DEAD_AT_ONCE)
    assert pipe.scheduler("--run=2026-11-22", "--schedule.wait=60s").code == 1
    file = tmp_path / "night.html"
    file.write_text("of yesterday")
    done = pipe.ctl("report", "--run", "last", "--html", str(file))
    assert done.code == 0, done
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    page = read(file)

    assert [name for name in page.texts if name != "after"] == ["head", "counts", "failed", "slowest", "runs"]
    assert "1 group failed." in page.texts["head"] and "2 of 4 groups were exported, 1 had nothing to export" in page.texts["head"]
    assert re.search(r"Started\s*\d{4}-\d\d-\d\d \d\d:\d\d:\d\d IST", page.texts["head"])
    failed = page.texts["failed"]
    assert hostile in failed and "database-data" in failed and "1 attempt" in failed
    assert pipe.states()[hostile]["error"] in failed  # the sentence of the dead letter
    quoted = hostile.replace("'", "'\\''")
    assert f"exportctl dlq replay --group '{quoted}' --reason 'cause fixed'" in page.commands
    assert big in page.texts["slowest"] and "300" in page.texts["slowest"]
    assert "the run before, 2026-11-21" in page.texts["counts"] and "1 empty" in page.texts["counts"]
    assert page.texts["runs"].index("2026-11-22") < page.texts["runs"].index("2026-11-21completed")

    # Nothing to fetch, nothing to run, nobody named.
    assert not [one for one in page.attributes if one[0] in ("script", "img", "iframe") or one[1].startswith("on")]
    assert [value for _, name, value in page.attributes if name in ("href", "src")] == ["data:,"]
    assert "requestedBy" not in file.read_text() and "export-scheduler" not in file.read_text()

    # What the command on the page does is what mends it; the page then says both.
    failing.mend(bad)
    assert pipe.ctl("dlq", "replay", "--group", hostile, "--reason", "cause fixed").code == 0
    pipe.settle()
    done = pipe.ctl("report", "--html", "-")
    assert done.code == 0, done
    page = Page(done.out)
    assert "failed" not in page.texts
    assert "3 of 4 groups were exported" in page.texts["head"] and "1 had failed" in page.texts["head"]
    # The night before, when the states know of a later one.
    done = pipe.ctl("report", "--run=2026-11-21", "--html=-")
    assert "3 of 4 groups were exported" in Page(done.out).texts["head"] and "2026-11-22" not in Page(done.out).texts["runs"]


def test_report__a_run_without_an_end__says_what_is_to_come(pipe):
    waits = pipe.new_group(rows=1)
    assert pipe.scheduler("--run=slow").code == 0
    page = Page(pipe.ctl("report", "--html", "-").out)
    assert "1 group still to come" in page.texts["head"] and waits in page.texts["unfinished"]
    assert any(command.startswith("exportctl status --run slow") for command in page.commands)


def test_report__what_cannot_be__is_refused(pipe, tmp_path):
    pipe.new_group(rows=1)
    assert pipe.scheduler("--run=known").code == 0
    done = pipe.ctl("report", "--run=unknown", "--html", str(tmp_path / "page.html"))
    assert done.code == 1 and "known" in done.err and not (tmp_path / "page.html").exists(), done
    assert pipe.ctl("report", "--run=known").code == 2  # where to?
    assert pipe.ctl("report", "known", "--html=-").code == 2
    done = pipe.ctl("report", "--run=known", "--html", str(tmp_path))
    assert done.code == 2 and "directory" in done.err, done


def test_schedule_report__a_night_with_a_failed_group__its_page_is_beside_the_manifest(pipe):
    failing = Failing(pipe.database)
    good, bad = pipe.new_group(rows=2), pipe.new_group(rows=2)
    failing.fail(bad, DEAD_AT_ONCE)
    pipe.worker()
    done = pipe.scheduler("--run=a night", "--schedule.wait=60s", "--schedule.manifest=true", "--schedule.report=true")
    assert done.code == 1, done
    beside = sorted(key for key in pipe.keys() if "/_runs/a%20night/" in key)
    manifest, page = next(key for key in beside if key.endswith(".jsonl.gz")), next(key for key in beside if key.endswith(".html"))
    assert len(beside) == 2 and manifest.removesuffix(".jsonl.gz") == page.removesuffix(".html")
    data, facts = pipe.store.get(pipe.storage_url.rsplit("/some/prefix", 1)[0] + "/" + page)
    assert facts["ContentType"] == "text/html; charset=utf-8"
    texts = Page(data.decode()).texts
    assert "1 group failed." in texts["head"] and bad in texts["failed"] and good in texts["slowest"]
    # The record of the run says where the manifest is, and so does the page.
    assert f"s3://{pipe.storage_url.split('/')[2]}/{manifest}" in data.decode()


def test_schedule_report__only_the_page_is_asked_for__there_is_no_manifest(pipe):
    pipe.new_group(rows=2)
    pipe.worker()
    assert pipe.scheduler("--run=n", "--schedule.wait=60s", "--schedule.report=true").code == 0
    assert [key.rsplit(".", 1)[1] for key in pipe.keys() if "/_runs/" in key] == ["html"]
    run, = json.loads(pipe.ctl("run", "list", "--output=json").out)
    assert (run["status"], run["manifestPath"]) == ("completed", None)
    # A scheduler may be killed between the end and the page: the next start writes it, once.
    assert pipe.scheduler("--run=k", "--schedule.wait=60s").code == 0
    for _ in range(2):
        done = pipe.scheduler("--run=k", "--schedule.wait=60s", "--schedule.report=true")
        assert done.code == 0 and not [line for line in done.log if line["event"] == "run-report-failed"], done
        assert len([key for key in pipe.keys() if "/_runs/k/" in key]) == 1
    # Where it cannot be written the night is what it was.
    done = pipe.scheduler("--run=m", "--schedule.wait=60s", "--schedule.report=true", EXPORT_S3_SECRET_ACCESS_KEY="wrong")
    assert done.code == 0 and [line for line in done.log if line["event"] == "run-report-failed"], done
