# SPDX-License-Identifier: Apache-2.0
"""The private services, the groups in their database, and the programs under load."""
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parents[3]
SERVICES = str(ROOT / "deploy/lib/services")
BIN = Path(os.environ["USERS_EXPORT_BIN"])

# Some 290 bytes of CSV a user, of which gzip leaves a third.
USERS = """
INSERT INTO users (username, group_id, display_name, gender, date_of_birth, location, intent, bio, smokes, drinks, wants_kids,
    education, religion, occupation, preferred_genders, preferred_min_age, preferred_max_age, relationship_type,
    open_to_long_distance, ready_for_matching)
SELECT 'user.' || n || '.' || left(md5(n::text), 6), g.group_id, 'User ' || n, (ARRAY['FEMALE', 'MALE', 'NON_BINARY'])[1 + n % 3],
    date '1966-01-01' + n % 14000, (ARRAY['Mumbai', 'New York, NY', 'Kochi', 'Pune "old city"'])[1 + n % 4], 'DATING',
    CASE WHEN n % 20 > 0 THEN 'coffee, hills and ' || md5(n::text) || ' or maybe "' || md5((-n)::text) || '"' END,
    n % 5 = 0, n % 2 = 0, n % 3 = 0, 'BACHELORS', 'HINDU', 'Product Manager', 'FEMALE,MALE', 18 + n % 15, 33 + n % 30,
    'LONG_TERM', n % 4 = 0, true
FROM load_groups g, generate_series(1, g.size) n
"""


def say(text):
    print(text, flush=True)


def sizes(count, large, large_rows):
    """[(group, type, rows)]: a few large groups, some of the middle, most small; every tenth without a file."""
    found = []
    for number in range(count):
        if number < large:
            rows = large_rows
        elif number % 400 == 12 or number % 2000 == 7:
            rows = large_rows // 20
        elif number % 40 == 9:
            rows = large_rows // 500
        else:
            rows = 20 + number * 7919 % 161
        found.append((f"group-{number:05d}", "NON_COST_BASED" if number % 10 == 7 else "COST_BASED", rows))
    return found


class World:
    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="users-export-load."))
        self.folder.chmod(0o755)
        self.run_dir = self.folder / "services"
        self.settings = {}
        self.processes = {}

    def start(self, partitions):
        say("private services")
        subprocess.run([SERVICES, "start", "--run-dir", self.run_dir, "--owner", str(os.getpid())], check=True, stdout=subprocess.DEVNULL)
        lines = subprocess.run(["bash", "-c", f'. {self.run_dir}/env; compgen -v | grep -E "^(EXPORT|USERS_EXPORT)_" | '
                                'while read -r name; do printf "%s=%s\\0" "$name" "${!name}"; done'],
                               check=True, capture_output=True, text=True, env={"PATH": os.environ["PATH"]}).stdout
        self.settings = dict(line.split("=", 1) for line in lines.split("\0") if line)
        self.settings.update({"EXPORT_LOG_FORMAT": "json", "EXPORT_HTTP_LISTEN": ""})
        self.program("exportctl", "topics", "create", "--partitions", str(partitions), "--replication-factor", "1")

    def stop(self):
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
        if self.run_dir.exists():
            subprocess.run([SERVICES, "stop", "--run-dir", self.run_dir], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def environment(self, **changes):
        return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **self.settings, **changes}

    def program(self, name, *arguments, check=True):
        done = subprocess.run([BIN / name, *arguments], env=self.environment(), capture_output=True, text=True, check=False, timeout=1800)
        if check and done.returncode != 0:
            raise RuntimeError(f"{name} {' '.join(arguments)}: exit code {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done

    def load(self, groups):
        rows = sum(size for _, _, size in groups)
        say(f"{len(groups):,} groups, {rows:,} users into the database")
        start = time.monotonic()
        with psycopg.connect(self.settings["USERS_EXPORT_ADMIN_DSN"]) as connection:
            connection.execute("CREATE TABLE load_groups (group_id text, group_type text, size integer)")
            with connection.cursor().copy("COPY load_groups FROM STDIN") as copy:
                for row in groups:
                    copy.write_row(row)
            connection.execute("INSERT INTO matching_groups SELECT group_id, group_type, true FROM load_groups")
            connection.execute(USERS)
        with psycopg.connect(self.settings["USERS_EXPORT_ADMIN_DSN"], autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE users")
            connection.execute("CHECKPOINT")
        say(f"    {time.monotonic() - start:.0f} s")

    def worker(self, number):
        """Its log is where its outcomes are counted. The port is Prometheus' way in: scraped as production's is."""
        path = self.folder / f"worker-{number}.log"
        with open(path, "wb") as log:
            self.processes[f"worker-{number}"] = subprocess.Popen([BIN / "export-worker"], env=self.environment(
                EXPORT_HTTP_LISTEN="127.0.0.1:0"), stderr=log, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        return path

    def service_pid(self, name):
        return int((self.run_dir / f"{name}.pid").read_text(encoding="ascii").split()[0])
