"""Attribution as one would do it with Polars, DuckDB or ChannelAttribution: `peers.py PEER FOLDER`.

Reads the book that the bench wrote into FOLDER (a file of little-endian numbers a column, a row a touch of a closed
deal's journey) and prints a line of JSON for each answer: credit by key, and the processor time that it took from
the loaded table to the sums. One thread each: figures are of one core.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path

os.environ["POLARS_MAX_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np  # noqa: E402

DAY = 86_400_000_000
HALF_LIFE_DAYS = 7.0
RUNS = 3
COLUMNS = {"journey": "<u4", "at": "<i8", "channel": "<u2", "campaign": "<u2", "won": "<u1", "value": "<i8"}


def columns(folder):
    return {name: np.fromfile(folder / f"{name}.bin", dtype) for name, dtype in COLUMNS.items()}


def measure(peer, model, key, work, **detail):
    """Runs some work, and says the least it took and what it gave: pairs of key and credit."""
    least = None
    for _ in range(RUNS):
        cpu, wall = time.process_time(), time.perf_counter()
        rows = work()
        cost = (time.process_time() - cpu, time.perf_counter() - wall)
        least = min(least, cost) if least else cost
    answer = {str(int(name)): float(credit) for name, credit in rows}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    line = {"peer": peer, "model": model, "by": key, "cpu_s": least[0], "wall_s": least[1], "peak_mib": peak}
    print(json.dumps(line | detail | {"credit": answer}), flush=True)


def polars(folder):
    import polars as pl

    table = pl.DataFrame(columns(folder))
    won = table.filter(pl.col("won") == 1).select("journey", "at", "channel", "campaign", "value").lazy()
    value, channel = pl.col("value").cast(pl.Float64), pl.col("channel")
    place, count = pl.int_range(pl.len()).over("journey"), pl.len().over("journey")
    middle = pl.when(place == 0).then(0.4).when(place == count - 1).then(0.4).otherwise(0.2 / (count - 2))
    position = pl.when(count == 1).then(1.0).when(count == 2).then(0.5).otherwise(middle)
    age = (pl.col("at").max().over("journey") - pl.col("at")) / (DAY * HALF_LIFE_DAYS)
    ends = lambda end: won.group_by("journey").agg(end(pl.col("channel")), end(pl.col("value")))
    weighed = won.with_columns(w=(age * -np.log(2.0)).exp())
    queries = {
        "first": ends(lambda column: column.sort_by("at").first()).select("channel", credit=value),
        "last": ends(lambda column: column.sort_by("at").last()).select("channel", credit=value),
        "linear": won.select("channel", credit=value / count),
        "position": won.sort("journey", "at").select("channel", credit=value * position),
        "time_decay": weighed.select("channel", credit=value * pl.col("w") / pl.col("w").sum().over("journey")),
    }
    for model, query in queries.items():
        query = query.group_by("channel").agg(pl.col("credit").sum())
        measure("Polars", model, "channel", lambda query=query: query.collect().rows())


def duckdb(folder):
    import duckdb as duck
    import pandas as pd

    db = duck.connect()
    db.execute("set threads = 1")
    db.register("frame", pd.DataFrame(columns(folder)))
    db.execute("create table touch as select * from frame")
    db.unregister("frame")
    db.execute("create table won as select * from touch where won = 1")
    whole = "(partition by journey)"
    end = """select channel, sum(value::double) from (select journey, {}(channel, "at") as channel,
        any_value(value) as value from won group by journey) group by channel"""
    aged = f"""select journey, channel, value,
        pow(2, -(max("at") over {whole} - "at")::double / {DAY * HALF_LIFE_DAYS}) as w from won"""
    sets = "select any_value(value)::double as value, list_distinct(list(channel)) as keys from won group by journey"
    queries = {
        "first": end.format("arg_min"),
        "last": end.format("arg_max"),
        "linear": """select channel, sum(value::double / n) from won
            join (select journey, count(*) as n from won group by journey) using (journey) group by channel""",
        "position": f"""select channel, sum(value::double * case when n = 1 then 1 when n = 2 then 0.5
            when place in (1, n) then 0.4::double else 0.2::double / (n - 2) end)
            from (select channel, value, row_number() over (partition by journey order by "at") as place,
            count(*) over {whole} as n from won) group by channel""",
        "time_decay": f"""select channel, sum(value::double * w / weight) from
            (select channel, value, w, sum(w) over {whole} as weight from ({aged})) group by channel""",
        "shapley_sum": f"""select key, sum(part) from
            (select unnest(keys) as key, value / len(keys) as part from ({sets})) group by key""",
    }
    for model, sql in queries.items():
        measure("DuckDB", model, "channel", lambda sql=sql: db.execute(sql).fetchall())
    for key in ("channel", "campaign"):
        measure("DuckDB, SciPy", "markov", key, lambda key=key: markov(db, key), order=1)


def markov(db, key):
    """Conversions by removal effect of order 1, exactly: RE(c) = f_c h_c / (N_cc p)."""
    from scipy import linalg

    sql = f"""with step as (select {key} as a, lead({key}) over w as b, row_number() over w as place, won from touch
        window w as (partition by journey order by "at"))
        select a, b, won, place = 1 as begins, count(*) from step group by all"""
    rows = db.execute(sql).fetchnumpy()
    a, weight = np.asarray(rows["a"], dtype=int), np.asarray(rows["count_star()"], dtype=float)
    b, wins = np.ma.masked_array(rows["b"]), np.asarray(rows["won"])
    begins = np.asarray(rows["begins"])
    size = a.max() + 1
    ends = np.ma.getmaskarray(b)
    next_key = np.asarray(b.filled(0), dtype=int)
    counts = np.zeros((size, size))
    np.add.at(counts, (a[~ends], next_key[~ends]), weight[~ends])
    visits = np.bincount(a, weight, size)
    starts = np.bincount(a[begins], weight[begins], size)
    won = ends & (wins == 1)
    wins_at = np.bincount(a[won], weight[won], size)
    used = visits > 0
    divisor = np.where(used, visits, 1.0)
    transition = np.where(used[:, None], counts / divisor[:, None], 0.0)
    inverse = linalg.inv(np.eye(size) - transition)
    reach = inverse @ (wins_at / divisor)
    start = starts / starts.sum()
    probability = start @ reach
    effect = (start @ inverse) * reach / np.diag(inverse) / probability
    conversions = wins_at.sum()
    return [(name, effect[name] / effect.sum() * conversions) for name in np.flatnonzero(used)]


def channel_attribution(folder):
    import ChannelAttribution as ca
    import pandas as pd

    table = columns(folder)
    order = np.lexsort((table["at"], table["journey"]))
    journey, names = table["journey"][order], table["channel"][order].astype(str)
    starts = np.flatnonzero(np.r_[True, journey[1:] != journey[:-1]])
    won, value = table["won"][order][starts], table["value"][order][starts]
    paths = [" > ".join(part) for part in np.split(names, starts[1:])]
    data = pd.DataFrame({"path": paths, "conv": won, "value": np.where(won == 1, value, 0), "null": 1 - won})
    rows = data[data["conv"] == 1]

    def heuristic(model):
        found = ca.heuristic_models(rows, "path", "conv", var_value="value", flg_pro=False)
        return zip(found["channel_name"], found[f"{model}_touch_value"])

    for model in ("first", "last", "linear"):
        measure("ChannelAttribution", model, "channel", lambda model=model: heuristic(model), note="all three in a call")

    def simulated():
        found = ca.markov_model(
            data, "path", "conv", var_value="value", var_null="null", order=1, ncore=1, verbose=False, flg_pro=False
        )
        return zip(found["channel_name"], found["total_conversions"])

    measure("ChannelAttribution", "markov", "channel", simulated, order=1, note="simulated", is_approximate=True)


if __name__ == "__main__":
    {"polars": polars, "duckdb": duckdb, "channel_attribution": channel_attribution}[sys.argv[1]](Path(sys.argv[2]))
