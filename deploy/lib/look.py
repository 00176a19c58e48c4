# SPDX-License-Identifier: Apache-2.0
"""Shows, for people, what it reads: `look.py messages` (results, from kcat -J), `look.py outcomes` (states, from kcat -J),
`look.py objects` (an S3 listing).
"""
import json
import sys
import xml.etree.ElementTree as ElementTree


def records():
    for line in sys.stdin:
        if line.strip():
            yield json.loads(line)


def headers_of(record):
    flat = record.get("headers") or []
    return dict(zip(flat[::2], flat[1::2]))


def show_messages():
    for record in records():
        value = json.loads(record["payload"])
        headers = headers_of(record)
        print(f"  {value['groupId']}")
        for name in ("filePath", "fileName", "contentType", "domainId"):
            print(f"    {name:<12} {json.dumps(value[name], ensure_ascii=False)}")
        names = value["usernames"]
        if names is None:
            print(f"    {'usernames':<12} null")
        else:
            print(f"    {'usernames':<12} {len(names)}: {json.dumps(names[-4:], ensure_ascii=False)[:-1]}, …]")
        for name in sorted(headers):
            print(f"    {name:<20} {headers[name]}")


def newest_states():
    return {record["key"]: json.loads(record["payload"]) for record in records() if record.get("payload")}


def show_outcomes():
    print(f"  {'group':<16} {'outcome':<14} {'reason':<20} {'rows':>7} {'bytes':>9} {'ms':>6}")
    for group, state in sorted(newest_states().items()):
        cells = [state["outcome"], state.get("reason") or ""]
        figures = ["" if state.get(name) is None else state[name] for name in ("rows", "bytes", "durationMs")]
        print(f"  {group:<16} {cells[0]:<14} {cells[1]:<20} {figures[0]:>7} {figures[1]:>9} {figures[2]:>6}")


def show_objects():
    namespace = "{http://s3.amazonaws.com/doc/2006-03-01/}"
    for entry in ElementTree.parse(sys.stdin.buffer).getroot().iter(f"{namespace}Contents"):
        print(f"  {entry.findtext(f'{namespace}Size'):>9}  {entry.findtext(f'{namespace}Key')}")


if __name__ == "__main__":
    {"messages": show_messages, "outcomes": show_outcomes, "objects": show_objects}[sys.argv[1]]()
