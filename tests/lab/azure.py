"""Azure's blob store on loopback, by Azurite: `azure.py PROGRAM`. Prints its port once it serves and has the container
`bucket`, and ends with its standard input."""
import base64, email.utils, hashlib, hmac, http.client, socket, subprocess, sys, time

# Everybody's, as Azurite's documentation has it.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def make_container(port, name):
    headers = {"x-ms-date": email.utils.formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
    signed = "PUT" + "\n" * 12 + "".join(f"{key}:{value}\n" for key, value in sorted(headers.items()))
    signed += f"/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
    digest = hmac.new(base64.b64decode(KEY), signed.encode(), hashlib.sha256).digest()
    headers["authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"
    asked = http.client.HTTPConnection("127.0.0.1", port)
    asked.request("PUT", f"/{ACCOUNT}/{name}?restype=container", headers=headers)
    return asked.getresponse().status


with socket.socket() as taken:
    taken.bind(("127.0.0.1", 0))
    port = taken.getsockname()[1]
server = subprocess.Popen(
    ["node", sys.argv[1], "--blobPort", str(port), "--inMemoryPersistence", "--silent", "--skipApiVersionCheck",
     "--disableTelemetry"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    for _ in range(300):
        try:
            status = make_container(port, "bucket")
            break
        except OSError:
            time.sleep(0.1)
    else:
        raise SystemExit("Azurite did not start")
    if status != 201:
        raise SystemExit(f"Azurite makes no container: {status}")
    print(port, flush=True)
    sys.stdin.read()
finally:
    server.kill()
