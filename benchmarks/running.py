"""Running one benchmark by its name, in a process of its own."""

from __future__ import annotations

import importlib
import multiprocessing
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor

from benchmarks.report import Result


def separately(name: str, *, quick: bool) -> Result:
    """One benchmark in a process of its own, so that none inherits another's memory, caches and threads.

    One that breaks does not take the others with it.
    """
    print(f"{name} ...", file=sys.stderr, flush=True)
    began = time.monotonic()
    try:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            result = pool.submit(measured, name, quick=quick).result()
    except Exception as broken:  # noqa: BLE001 - the border around each benchmark
        traceback.print_exc()
        result = Result(name, "", (), time.monotonic() - began, f"{type(broken).__name__}: {broken}")
    print(f"{result}\n\n{result.seconds:.0f} s\n", flush=True)
    return result


def measured(name: str, *, quick: bool) -> Result:
    """What one benchmark finds."""
    benchmark = importlib.import_module(f"benchmarks.{name}")
    began = time.monotonic()
    rows = tuple(benchmark.run(quick=quick))
    return Result(name.replace("_", " "), benchmark.ABOUT, rows, time.monotonic() - began)
