"""What the measurements of this folder share: the stage, its processes, their CPU time, and wrk.

The thing under test has core 0 to itself with one worker; the upstream (an nginx that answers a constant) and wrk share
core 1. CPU time is what the kernel booked on the processes under test (/proc/PID/stat), divided by the requests that wrk
counted: it does not depend on which side is the bottleneck.
"""
import argparse, contextlib, json, os, re, shutil, signal, socket, subprocess, sys, tempfile, time

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

def thread_seconds(pid):
    """CPU time by thread."""
    found = {}
    for it in os.listdir(f"/proc/{pid}/task"):
        fields = open(f"/proc/{pid}/task/{it}/stat").read().rsplit(")", 1)[1].split()
        found[it] = (int(fields[11]) + int(fields[12])) / TICK
    return found

def rss_mib(pid):
    return sum(int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{it}/status").read())[1]) for it in family(pid)) / 1024

def post(payload, extra=""):
    """What wrk is told to send."""
    return (f'wrk.method="POST" wrk.headers["content-type"]="application/json" '
            f'wrk.headers["authorization"]="Bearer {KEY}" {extra} wrk.body=[==[{payload}]==]')

def wrk(where, port, script, seconds, connections, path="/v1/chat/completions"):
    """The requests that were answered, and per second; the median and the 99th percentile of microseconds."""
    name = os.path.join(where, "wrk.lua")
    with open(name, "w") as f:
        f.write(script)
    out = subprocess.run(["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s",
                          name, f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True).stdout
    if re.search(r"Non-2xx or 3xx responses|Socket errors", out):
        sys.exit(f"port {port} did not answer every request to {path} well:\n{out}\n{script}")
    count = int(re.search(r"(\d+) requests in", out)[1])
    unit = {"us": 1, "ms": 1000, "s": 1e6}
    at = {m[0]: float(m[1]) * unit[m[2]] for m in re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s)", out)}
    return count, count / seconds, at["50"], at["99"]

def measure(pid, run):
    before = cpu_seconds(pid)
    result = run()
    return (cpu_seconds(pid) - before) * 1e6 / result[0], result

def arguments(doc, seconds):
    """A parser of what all of them take."""
    arg = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    arg.add_argument("--seconds", type=int, default=seconds)
    arg.add_argument("--rounds", type=int, default=3)
    arg.add_argument("--connections", type=int, default=64)
    arg.add_argument("--binary", default="target/release/tollgate")
    arg.add_argument("--json")
    return arg

@contextlib.contextmanager
def stage(config):
    """A folder with a `tollgate.yaml`, and a list for processes: they are stopped at the end."""
    os.environ["PATH"] += ":/usr/sbin"
    for tool in ("nginx", "wrk", "taskset"):
        if not shutil.which(tool):
            sys.exit(f"{tool} is not installed")
    where, running = tempfile.mkdtemp(prefix="tollgate-rig-"), []
    os.chmod(where, 0o755)
    with open(os.path.join(where, "tollgate.yaml"), "w") as f:
        f.write(f"""server: {{ listen: "127.0.0.1:{TOLLGATE}", workers: 1 }}
admin: {{ listen: "127.0.0.1:{ADMIN}" }}
telemetry: {{ access_log: "{where}/access.log" }}
keys: [ {{ name: rig, key: "{KEY}", models: ["*"] }} ]
{config}""")
    try:
        yield where, running
    finally:
        for p in reversed(running):
            stop(p)
        shutil.rmtree(where, ignore_errors=True)

def serving(binary, where):
    """The command line of Tollgate on that stage."""
    return [binary, "serve", "--config", os.path.join(where, "tollgate.yaml")]

def tell(report, path):
    """Prints a report, and writes it to `path` if there is one."""
    print(json.dumps(report, indent=2))
    if path:
        with open(path, "w") as f:
            json.dump(report, f, indent=2)
