#!/usr/bin/env python3
"""What Tollgate adds, beside what a plain nginx proxy adds, in one run on one machine.

    cargo build --release && python3 bench/rig/against_nginx.py [--seconds 8] [--rounds 3] [--json out.json]

Needs nginx and wrk (Debian: apt-get install nginx-light wrk), Linux, two cores. Set up and measured as told in rig.py.
Rounds alternate between the contestants; medians are printed.

Tollgate runs as it is meant to: virtual keys, metering, pricing, metrics and the access log on (to a file).
"""
import contextlib, json, os, resource, socket, statistics, subprocess, sys, time, urllib.request

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

def median(values):
    return round(statistics.median(values), 2)

def requests(a, where, pids):
    """Requests answered at once: 1, 10 and 100 KiB in one dialect, and 1 KiB from Anthropic's to OpenAI's."""
    found = {}
    kinds = [(f"{size // 1024}KiB", body(size), "/v1/chat/completions") for size in (1024, 10240, 102400)]
    kinds.append(("1KiB_other_dialect", json.dumps({**json.loads(body(1024)), "max_tokens": 500}), "/v1/messages"))
    for name, payload, path in kinds:
        script = post(payload)
        ports = {"nginx": NGINX, "tollgate": TOLLGATE}
        for port in ports.values():
            wrk(where, port, script, 2, a.connections, path)
        cpu, rate, alone = ({who: [] for who in ports} for _ in range(3))
        direct = []
        for _ in range(a.rounds):
            direct.append(wrk(where, UPSTREAM, script, 2, 1, path)[2])
            for who, port in ports.items():
                cost, (_, answered, _, _) = measure(pids[who], lambda: wrk(where, port, script, a.seconds, a.connections, path))
                cpu[who].append(cost)
                rate[who].append(answered)
                alone[who].append(wrk(where, port, script, 2, 1, path)[2])
        found[name] = {who: {"cpu_us_per_request": median(cpu[who]), "requests_per_second": median(rate[who]),
                             "added_p50_us_one_connection": round(median(alone[who]) - median(direct), 1)} for who in ports}
        found[name]["cpu_ratio"] = round(median(cpu["tollgate"]) / median(cpu["nginx"]), 2)
        found[name]["throughput_ratio"] = round(median(rate["tollgate"]) / median(rate["nginx"]), 2)
    small, large = found["1KiB"], found["100KiB"]
    slope = {who: round((large[who]["cpu_us_per_request"] - small[who]["cpu_us_per_request"]) / 99, 3) for who in pids}
    found["cpu_us_per_KiB"] = {**slope, "ratio": round(slope["tollgate"] / slope["nginx"], 2)}
    return found

def streams(a, where, pids, proxy):
    """Fifty streams of four hundred chunks at once."""
    found = {}
    for name, model in (("same", "stream"), ("translated", "streamcross")):
        cpu = {"nginx": [], "tollgate": []}
        for _ in range(a.rounds):
            for who, pid, port in (("nginx", proxy.pid, NGINX_STREAM), ("tollgate", pids["tollgate"], TOLLGATE)):
                asked = model if who == "tollgate" else "any--tokens400--pace2"
                payload = json.dumps({"model": asked, "stream": True, "messages": [{"role": "user", "content": "go"}]})
                cpu[who].append(measure(pid, lambda: read_stream(port, payload, 50))[0])
        found[f"stream_{name}"] = {who: {"cpu_us_per_chunk": median(values)} for who, values in cpu.items()}
        found[f"stream_{name}"]["cpu_ratio"] = round(median(cpu["tollgate"]) / median(cpu["nginx"]), 2)
    return found

@contextlib.contextmanager
def waiting(port, count):
    """So many connections that have been answered once, and are kept alive."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit[1], limit[1]))
    opened = []
    try:
        for _ in range(count):
            it = socket.create_connection(("127.0.0.1", port))
            it.sendall(b"GET /readyz HTTP/1.1\r\nhost: rig\r\n\r\n")
            if not it.recv(4096).startswith(b"HTTP/1.1 200"):
                sys.exit("a connection was not answered")
            opened.append(it)
        yield
    finally:
        for it in opened:
            it.close()

def crowd(a, where, pids):
    """The same requests beside ten open connections, and beside ten thousand."""
    script, cpu, rss = post(body(1024)), {10: [], 10000: []}, {10: [], 10000: []}
    for _ in range(a.rounds):
        for count in cpu:
            with waiting(TOLLGATE, count):
                cost, _ = measure(pids["tollgate"], lambda: wrk(where, TOLLGATE, script, a.seconds, a.connections))
                cpu[count].append(cost)
                rss[count].append(rss_mib(pids["tollgate"]))
    found = {f"{count}_connections": {"cpu_us_per_request": median(cpu[count]), "rss_mib": median(rss[count])} for count in cpu}
    return {"open": {**found, "cpu_ratio": round(median(cpu[10000]) / median(cpu[10]), 3)}}

def main():
    arg = arguments(__doc__, seconds=8)
    arg.add_argument("--only", choices=["requests", "streams", "crowd"])
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
        pids = {"nginx": proxy.pid, "tollgate": gate.pid}
        if a.only in (None, "requests"):
            report |= requests(a, where, pids)
        if a.only in (None, "crowd"):
            report |= crowd(a, where, pids)
        if a.only in (None, "streams"):
            running.append(start([a.binary, "mock", "--journal", "0", "--listen", f"127.0.0.1:{MOCK}"], 1, MOCK,
                                 stdout=subprocess.DEVNULL))
            running.append(start(["nginx", "-c", nginx_conf(where, NGINX_STREAM, "stream", MOCK)], 0, NGINX_STREAM))
            report |= streams(a, where, pids, running[-1])
    tell(report, a.json)

if __name__ == "__main__":
    main()
