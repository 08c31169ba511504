"""How many events of some batches repeat one that was there before."""

from __future__ import annotations

from tusk_platform.plan.metrics import quoted
from tusk_platform.plan.nodes import Plan, Stream
from tusk_platform.storage.duck import query
from tusk_platform.storage.lake import Lake


def count_repeated(lake: Lake, plan: Plan, stream: Stream, first: int, last: int) -> int:
    """Good rows of batches ``first`` to ``last`` whose dedup key a row before them has, within the horizon."""
    key = ", ".join(quoted(c) for c in stream.dedup_key)
    whole = " and ".join(f"{quoted(c)} is not null" for c in stream.dedup_key)
    sql = f"""
        with good as (select * from raw.{quoted(stream.name)} where _status = 'ok' and {whole}),
        since as (select min(_event_time) - interval '{stream.dedup_horizon} microseconds' as t
                  from good where _batch between {first} and {last}),
        ranked as (select _batch, epoch_us(_event_time) as t,
                          lag(epoch_us(_event_time)) over ordered as before
                   from good where _batch <= {last} and _event_time >= (select t from since)
                   window ordered as (partition by {key} order by _batch, _offset, _partition))
        select count(*) as repeated from ranked
        where _batch >= {first} and abs(t - before) <= {stream.dedup_horizon}"""  # noqa: S608 - names and integers of the plan
    return int(query(lake, plan, sql).to_pylist()[0]["repeated"])
