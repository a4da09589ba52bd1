#!/usr/bin/env python3
"""What Tollgate adds, beside what a plain nginx proxy adds, in one run on one machine.

    cargo build --release && python3 bench/rig/against_nginx.py [--seconds 8] [--rounds 3] [--json out.json]

Needs nginx and wrk (Debian: apt-get install nginx-light wrk), Linux, two cores. The thing under test has core 0
to itself with one worker; the upstream (an nginx that answers a constant) and wrk share core 1. CPU time is what
the kernel booked on the processes under test (/proc/PID/stat), divided by the requests that wrk counted: it does
not depend on which side is the bottleneck. Rounds alternate between the contestants; medians are printed.

Tollgate runs as it is meant to: virtual keys, metering, pricing, metrics and the access log on (to a file).
"""
import argparse, json, os, re, shutil, signal, socket, statistics, subprocess, sys, tempfile, time, urllib.request

TICK = os.sysconf("SC_CLK_TCK")
KEY = "tg-rig-0123456789abcdef"
UPSTREAM, NGINX, TOLLGATE, ADMIN, MOCK, NGINX_STREAM = 9480, 9481, 9482, 9483, 9484, 9485

ANSWER = {
    "id": "chatcmpl-rig", "object": "chat.completion", "created": 1700000000, "model": "gpt-4o-mini",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "word " * 120}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 200, "completion_tokens": 120, "total_tokens": 320},
}

def body(size, stream=False):
    base = {"model": "fast", "messages": [{"role": "user", "content": ""}], "temperature": 0.7}
    if stream:
        base["stream"] = True
    filler = size - len(json.dumps(base))
    base["messages"][0]["content"] = ("lorem ipsum dolor sit amet " * (filler // 27 + 1))[:filler]
    return json.dumps(base)

def nginx_conf(where, port, role, upstream=UPSTREAM):
    if role == "upstream":
        server = "location / { default_type application/json; return 200 '%s'; }" % json.dumps(ANSWER)
        extra = ""
    else:
        extra = "upstream backend { server 127.0.0.1:%d; keepalive 128; keepalive_requests 10000000; }" % upstream
        server = ("location / { proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection '';"
                  " proxy_buffering %s; }" % ("off" if role == "stream" else "on"))
    path = os.path.join(where, f"nginx-{port}.conf")
    with open(path, "w") as f:
        f.write(f"""worker_processes 1; daemon off; pid {where}/nginx-{port}.pid; error_log {where}/nginx-{port}.err;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 10000000; client_body_buffer_size 256k; client_max_body_size 64m;
  client_body_temp_path {where}/b{port}; proxy_temp_path {where}/p{port}; fastcgi_temp_path {where}/f{port};
  uwsgi_temp_path {where}/u{port}; scgi_temp_path {where}/s{port};
  {extra} server {{ listen 127.0.0.1:{port}; tcp_nodelay on; {server} }} }}""")
    return path

def start(argv, cpu, port, **kw):
    p = subprocess.Popen(["taskset", "-c", str(cpu)] + argv, start_new_session=True, **kw)
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return p
        except OSError:
            if p.poll() is not None:
                sys.exit(f"{argv[0]} did not start")
            time.sleep(0.01)
    sys.exit(f"{argv[0]} does not listen on {port}")

def stop(p):
    if p and p.poll() is None:
        p.send_signal(signal.SIGTERM)
        try:
            p.wait(10)
        except subprocess.TimeoutExpired:
            p.kill()

def family(pid):
    found = [pid]
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            parent = int(open(f"/proc/{entry}/stat").read().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        if parent == pid:
            found.append(int(entry))
    return found

def cpu_seconds(pid):
    total = 0
    for it in family(pid):
        fields = open(f"/proc/{it}/stat").read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK

def rss_mib(pid):
    return sum(int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{it}/status").read())[1]) for it in family(pid)) / 1024

def wrk(where, port, payload, seconds, connections, path="/v1/chat/completions"):
    script = os.path.join(where, "post.lua")
    with open(script, "w") as f:
        f.write('wrk.method="POST" wrk.headers["content-type"]="application/json" '
                f'wrk.headers["authorization"]="Bearer {KEY}" wrk.body=[==[{payload}]==]')
    out = subprocess.run(["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s",
                          script, f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True).stdout
    count = int(re.search(r"(\d+) requests in", out)[1])
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    if bad or "Socket errors" in out:
        sys.exit(f"port {port} did not answer every request well:\n{out}")
    unit = {"us": 1, "ms": 1000, "s": 1e6}
    at = {m[0]: float(m[1]) * unit[m[2]] for m in re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s)", out)}
    return count, count / seconds, at["50"], at["99"]

def measure(pid, run):
    before = cpu_seconds(pid)
    result = run()
    return (cpu_seconds(pid) - before) * 1e6 / result[0], result

def read_stream(port, payload, streams):
    """So many streams at once; chunks as the upstream sent them."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "streams.py")
    out = subprocess.run(["taskset", "-c", "1", sys.executable, script, str(port), str(streams), KEY],
                         input=payload, capture_output=True, text=True, check=True).stdout
    return (int(out),)

def medians(rows):
    return {name: statistics.median(values) for name, values in rows.items()}

def main():
    arg = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arg.add_argument("--seconds", type=int, default=8)
    arg.add_argument("--rounds", type=int, default=3)
    arg.add_argument("--connections", type=int, default=64)
    arg.add_argument("--binary", default="target/release/tollgate")
    arg.add_argument("--only", choices=["requests", "streams"])
    arg.add_argument("--json")
    a = arg.parse_args()
    for tool in ("nginx", "wrk", "taskset"):
        if not shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin"):
            sys.exit(f"{tool} is not installed")
    os.environ["PATH"] += ":/usr/sbin"
    where = tempfile.mkdtemp(prefix="tollgate-rig-")
    os.chmod(where, 0o755)
    config = os.path.join(where, "tollgate.yaml")
    with open(config, "w") as f:
        f.write(f"""server: {{ listen: "127.0.0.1:{TOLLGATE}", workers: 1 }}
admin: {{ listen: "127.0.0.1:{ADMIN}" }}
telemetry: {{ access_log: "{where}/access.log" }}
providers:
  up: {{ kind: openai, base_url: "http://127.0.0.1:{UPSTREAM}/v1", api_key: rig-upstream-key, max_idle_connections: 256 }}
  claude: {{ kind: anthropic, base_url: "http://127.0.0.1:{MOCK}", api_key: rig-upstream-key, max_idle_connections: 256 }}
  streaming: {{ kind: openai, base_url: "http://127.0.0.1:{MOCK}/v1", api_key: rig-upstream-key, max_idle_connections: 256 }}
models:
  fast: {{ targets: [ {{ provider: up, model: gpt-4o-mini }} ] }}
  cross: {{ targets: [ {{ provider: claude, model: claude-haiku-4-5 }} ] }}
  stream: {{ targets: [ {{ provider: streaming, model: gpt-4o-mini--tokens400--pace2 }} ] }}
  streamcross: {{ targets: [ {{ provider: claude, model: claude-haiku-4-5--tokens400--pace2 }} ] }}
keys: [ {{ name: rig, key: "{KEY}", models: ["*"] }} ]
""")
    report, running = {}, []
    try:
        running.append(start(["nginx", "-c", nginx_conf(where, UPSTREAM, "upstream")], 1, UPSTREAM))
        proxy = start(["nginx", "-c", nginx_conf(where, NGINX, "proxy")], 0, NGINX)
        running.append(proxy)
        began = time.monotonic()
        gate = subprocess.Popen(["taskset", "-c", "0", a.binary, "serve", "--config", config], start_new_session=True,
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
            payload = body(size)
            for pid, port in contestants.values():
                wrk(where, port, payload, 2, a.connections)
            rows = {name: [] for name in contestants}
            for _ in range(a.rounds):
                for name, (pid, port) in contestants.items():
                    cpu, (_, rate, p50, p99) = measure(pid, lambda: wrk(where, port, payload, a.seconds, a.connections))
                    rows[name].append((cpu, rate, p50, p99))
            latency = {name: [] for name in contestants}
            direct = []
            for _ in range(a.rounds):
                direct.append(wrk(where, UPSTREAM, payload, 3, 1)[2])
                for name, (pid, port) in contestants.items():
                    latency[name].append(wrk(where, port, payload, 3, 1)[2])
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
    finally:
        for p in reversed(running):
            stop(p)
        shutil.rmtree(where, ignore_errors=True)
    print(json.dumps(report, indent=2))
    if a.json:
        with open(a.json, "w") as f:
            json.dump(report, f, indent=2)

if __name__ == "__main__":
    main()
