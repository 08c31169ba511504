"""The code location loads no library that only a run or a process of its own needs."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = {"great_expectations", "mlflow", "tensorflow", "keras", "sklearn", "statsmodels", "dbt", "prophet", "pandas"}
PROGRAM = """
import json, sys
from pathlib import Path
from tusk_platform.orchestration.build import build_definitions
build_definitions("platform.tsk").get_repository_def().load_all_definitions()
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


def test_code_location_loads_no_heavy_library() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)

    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert loaded & HEAVY == set()
    assert "dagster" in loaded


def test_checking_a_config_loads_neither_dagster_nor_the_lake() -> None:
    program = "import sys; from tusk_platform.cli import main; import json; print(json.dumps(sorted(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    loaded = {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
    assert loaded & (HEAVY | {"dagster", "deltalake", "duckdb", "jsonschema", "pygls", "starlette"}) == set()
