#!/usr/bin/env python3
"""What an answer from the cache costs, and what a miss adds, in one run on one machine.

    cargo build --release && python3 bench/rig/cache_hit.py [--seconds 6] [--rounds 3] [--json out.json]

Needs nginx and wrk (Debian: apt-get install nginx-light wrk), Linux, two cores. Set up and measured as told in
rig.py. All contestants are requests to the same process, in turns, and the keeper of the cache is part of it.

    plain      GET /livez: a constant 200, the least that this server does for an answer
    live       a chat of 1 KiB on a route without a cache: nothing is looked for
    exact      the same chat on a route with one: always a hit
    semantic   a question of some 50 tokens in other words than those of the entry: always a hit by meaning, remembered
    miss       questions of some 50 tokens that were never asked, on a route that compares by meaning: looked for,
               asked upstream, kept
    unlooked   the same questions on a route without a cache
"""
import json, statistics, subprocess, sys, time, urllib.request

from rig import (KEY, TOLLGATE, UPSTREAM, arguments, body, measure, nginx_conf, post, rss_mib, serving, stage, start, tell,
                 thread_seconds, wrk)

CONFIG = f"""cache: {{ max_size: 256MiB }}
providers:
  up: {{ kind: openai, base_url: "http://127.0.0.1:{UPSTREAM}/v1", api_key: rig-upstream-key, max_idle_connections: 256 }}
models:
  fast: {{ targets: [ {{ provider: up, model: gpt-4o-mini }} ] }}
  exact: {{ cache: {{ mode: exact }}, targets: [ {{ provider: up, model: gpt-4o-mini }} ] }}
  safe: {{ cache: {{ mode: safe }}, targets: [ {{ provider: up, model: gpt-4o-mini }} ] }}
  many: {{ cache: {{ mode: safe }}, targets: [ {{ provider: up, model: gpt-4o-mini }} ] }}
"""

QUESTION = ("%s I convert a distance of 20 miles to kilometers by hand, without a calculator, if I only have a pencil, a "
            "sheet of paper and about a minute of time before the teacher collects the answers of the whole class?")

def chat(model, text):
    return json.dumps({"model": model, "messages": [{"role": "user", "content": text}]})

def counting(model):
    """A question that differs each time, also from those of other runs, in words rather than in a number at its end."""
    payload = chat(model, QUESTION % "How do")
    head, tail = payload.split("pencil")
    return post(payload) + f"""
local n, words = os.time() % 256 * 65536, {{}}
for w in ("ruler brick candle spoon ladder rabbit copper island velvet mirror garden anchor pepper window basket tunnel"):gmatch("%a+") do words[#words + 1] = w end
function request()
  n = n + 1
  local m, said = n, ""
  for _ = 1, 6 do said = said .. words[m % 16 + 1] .. " "; m = math.floor(m / 16) end
  return wrk.format(nil, nil, nil, [==[{head}]==] .. said .. [==[{tail}]==])
end"""

def said(payload, **headers):
    request = urllib.request.Request(f"http://127.0.0.1:{TOLLGATE}/v1/chat/completions", payload.encode(),
                                     {"content-type": "application/json", "authorization": f"Bearer {KEY}", **headers})
    with urllib.request.urlopen(request, timeout=10) as answer:
        answer.read()
        return answer.headers["x-tollgate-cache"] or "-"

def until(what, expected):
    for _ in range(500):
        found = what()
        if found.startswith(expected):
            return
        time.sleep(0.01)
    sys.exit(f"expected {expected}, found {found}")

def main():
    a = arguments(__doc__, seconds=6).parse_args()
    whole = body(1024)
    once, again = chat("safe", QUESTION % "How do"), chat("safe", QUESTION % "How can")
    exact = whole.replace('"fast"', '"exact"')
    only = 'wrk.headers["x-tollgate-cache"]="only"'
    contestants = {
        "plain": ("", "/livez"),
        "live": (post(whole), "/v1/chat/completions"),
        "exact": (post(exact), "/v1/chat/completions"),
        "semantic": (post(again, only), "/v1/chat/completions"),
        "unlooked": (counting("fast"), "/v1/chat/completions"),
        "miss": (counting("many"), "/v1/chat/completions"),
    }
    with stage(CONFIG) as (where, running):
        running.append(start(["nginx", "-c", nginx_conf(where, UPSTREAM, "upstream")], 1, UPSTREAM))
        gate = start(serving(a.binary, where), 0, TOLLGATE, stderr=subprocess.DEVNULL)
        running.append(gate)
        time.sleep(1)
        until(lambda: said(exact), "hit")
        until(lambda: said(once), "hit")
        until(lambda: said(again, **{"x-tollgate-cache": "only"}), "semantic")
        for script, path in contestants.values():
            wrk(where, TOLLGATE, script, 1, a.connections, path)
        # Of constants, only the worker has work to do.
        before = thread_seconds(gate.pid)
        wrk(where, TOLLGATE, "", 1, a.connections, "/livez")
        worker = max(before, key=lambda it: thread_seconds(gate.pid)[it] - before[it])
        rows, by_worker = ({name: [] for name in contestants} for _ in range(2))
        for _ in range(a.rounds):
            for name, (script, path) in contestants.items():
                before = thread_seconds(gate.pid)[worker]
                spent, (count, *_) = measure(gate.pid, lambda: wrk(where, TOLLGATE, script, a.seconds, a.connections, path))
                rows[name].append(spent)
                by_worker[name].append((thread_seconds(gate.pid)[worker] - before) * 1e6 / count)
                # What was kept is written away before the next one is measured.
                time.sleep(0.5)
        cpu, worker = ({name: round(statistics.median(values), 2) for name, values in of.items()} for of in (rows, by_worker))
        report = {
            "cpu_us_per_request": cpu,
            "of_these_the_worker": worker,
            "exact_hit_to_plain": round(cpu["exact"] / cpu["plain"], 2),
            "exact_hit_to_live": round(cpu["exact"] / cpu["live"], 2),
            "semantic_hit_to_exact_us": round(cpu["semantic"] - cpu["exact"], 1),
            "miss_adds_us": round(cpu["miss"] - cpu["unlooked"], 1),
            "miss_adds_to_the_worker_us": round(worker["miss"] - worker["unlooked"], 1),
            "rss_mib": round(rss_mib(gate.pid), 1),
        }
    tell(report, a.json)

if __name__ == "__main__":
    main()
