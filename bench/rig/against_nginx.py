#!/usr/bin/env python3
"""What Tollgate adds, beside what a plain nginx proxy adds, in one run on one machine.

    cargo build --release && python3 bench/rig/against_nginx.py [--seconds 8] [--rounds 3] [--json out.json]

Needs nginx and wrk (Debian: apt-get install nginx-light wrk), Linux, two cores. Set up and measured as told in rig.py.
Rounds alternate between the contestants; medians are printed.

Tollgate runs as it is meant to: virtual keys, metering, pricing, metrics and the access log on (to a file).
"""
import json, os, statistics, subprocess, sys, time, urllib.request

from rig import (KEY, MOCK, NGINX, NGINX_STREAM, TOLLGATE, UPSTREAM, arguments, body, measure, nginx_conf, post, rss_mib,
                 serving, stage, start, tell, wrk)

CONFIG = f"""providers:
  up: {{ kind: openai, base_url: "http://127.0.0.1:{UPSTREAM}/v1", api_key: rig-upstream-key, max_idle_connections: 256 }}
  claude: {{ kind: anthropic, base_url: "http://127.0.0.1:{MOCK}", api_key: rig-upstream-key, max_idle_connections: 256 }}
  streaming: {{ kind: openai, base_url: "http://127.0.0.1:{MOCK}/v1", api_key: rig-upstream-key, max_idle_connections: 256 }}
models:
  fast: {{ targets: [ {{ provider: up, model: gpt-4o-mini }} ] }}
  cross: {{ targets: [ {{ provider: claude, model: claude-haiku-4-5 }} ] }}
  stream: {{ targets: [ {{ provider: streaming, model: gpt-4o-mini--tokens400--pace2 }} ] }}
  streamcross: {{ targets: [ {{ provider: claude, model: claude-haiku-4-5--tokens400--pace2 }} ] }}
"""

def read_stream(port, payload, streams):
    """So many streams at once; chunks as the upstream sent them."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "streams.py")
    out = subprocess.run(["taskset", "-c", "1", sys.executable, script, str(port), str(streams), KEY],
                         input=payload, capture_output=True, text=True, check=True).stdout
    return (int(out),)

def main():
    arg = arguments(__doc__, seconds=8)
    arg.add_argument("--only", choices=["requests", "streams"])
    a = arg.parse_args()
    report = {}
    with stage(CONFIG) as (where, running):
        running.append(start(["nginx", "-c", nginx_conf(where, UPSTREAM, "upstream")], 1, UPSTREAM))
        proxy = start(["nginx", "-c", nginx_conf(where, NGINX, "proxy")], 0, NGINX)
        running.append(proxy)
        began = time.monotonic()
        gate = subprocess.Popen(["taskset", "-c", "0", *serving(a.binary, where)], start_new_session=True,
                                stderr=subprocess.DEVNULL)
        running.append(gate)
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{TOLLGATE}/readyz", timeout=1).read()
                break
            except OSError:
                time.sleep(0.001)
        report["start_ms"] = round((time.monotonic() - began) * 1000, 1)
        time.sleep(1)
        report["idle_rss_mib"] = round(rss_mib(gate.pid), 1)
        report["binary_mib"] = round(os.path.getsize(a.binary) / 2**20, 1)
        contestants = {"nginx": (proxy.pid, NGINX), "tollgate": (gate.pid, TOLLGATE)}
        for size in () if a.only == "streams" else (1024, 10240):
            script = post(body(size))
            for pid, port in contestants.values():
                wrk(where, port, script, 2, a.connections)
            rows = {name: [] for name in contestants}
            for _ in range(a.rounds):
                for name, (pid, port) in contestants.items():
                    cpu, (_, rate, p50, p99) = measure(pid, lambda: wrk(where, port, script, a.seconds, a.connections))
                    rows[name].append((cpu, rate, p50, p99))
            latency = {name: [] for name in contestants}
            direct = []
            for _ in range(a.rounds):
                direct.append(wrk(where, UPSTREAM, script, 3, 1)[2])
                for name, (pid, port) in contestants.items():
                    latency[name].append(wrk(where, port, script, 3, 1)[2])
            table = {}
            for name in contestants:
                columns = list(zip(*rows[name]))
                table[name] = {"cpu_us_per_request": round(statistics.median(columns[0]), 2),
                               "requests_per_second": round(statistics.median(columns[1])),
                               "added_p50_us_one_connection": round(statistics.median(latency[name]) - statistics.median(direct), 1)}
            table["cpu_ratio"] = round(table["tollgate"]["cpu_us_per_request"] / table["nginx"]["cpu_us_per_request"], 2)
            report[f"{size // 1024}KiB"] = table
        mock = start([a.binary, "mock", "--journal", "0", "--listen", f"127.0.0.1:{MOCK}"], 1, MOCK, stdout=subprocess.DEVNULL)
        running.append(mock)
        stream_proxy = start(["nginx", "-c", nginx_conf(where, NGINX_STREAM, "stream", MOCK)], 0, NGINX_STREAM)
        running.append(stream_proxy)
        for name, model in () if a.only == "requests" else (("same", "stream"), ("translated", "streamcross")):
            rows = {"nginx": [], "tollgate": []}
            for _ in range(a.rounds):
                for who, pid, port in (("nginx", stream_proxy.pid, NGINX_STREAM), ("tollgate", gate.pid, TOLLGATE)):
                    asked = model if who == "tollgate" else "any--tokens400--pace2"
                    payload = json.dumps({"model": asked, "stream": True,
                                          "messages": [{"role": "user", "content": "go"}]})
                    cpu, _ = measure(pid, lambda: read_stream(port, payload, 50))
                    rows[who].append(cpu)
            table = {who: {"cpu_us_per_chunk": round(statistics.median(values), 2)} for who, values in rows.items()}
            table["cpu_ratio"] = round(statistics.median(rows["tollgate"]) / statistics.median(rows["nginx"]), 2)
            report[f"stream_{name}"] = table
    tell(report, a.json)

if __name__ == "__main__":
    main()
