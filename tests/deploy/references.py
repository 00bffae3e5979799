#!/usr/bin/env python3
"""What the compose file and the Kubernetes manifests refer to exists: no schema checks that.

Options of roles are variables, so a misspelt one would be ignored. So each TENUTO_… that deploy/ sets
must be one that `tenuto help` lists.
"""
import os
import re
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

DEPLOY = Path("deploy")
ROLES = ["command-handler", "projector", "query-api", "participants", "event-store"]
# Of the compose file, and of the scripts.
OF_DEPLOY = {"TENUTO_DEMO_PASSWORD", "TENUTO_BINARY", "TENUTO_COMPRESSION"}
faults = []


def fault(text):
    faults.append(text)


def documents(path):
    return [document for document in YAML(typ="safe").load_all(path.read_text()) if document]


def known_variables():
    known = set()
    for role in ROLES:
        text = subprocess.run([os.environ["TENUTO_BINARY"], role, "--help"], check=True, capture_output=True, text=True)
        known |= set(re.findall(r"\[env: (TENUTO_\w+)", text.stdout))
    return known


def check_variables():
    known = known_variables()
    assert len(known) > 20, f"only {len(known)} variables are known"
    for path in sorted(p for p in DEPLOY.rglob("*") if p.is_file()):
        for name in sorted(set(re.findall(r"\bTENUTO_[A-Z_]+[A-Z]\b", path.read_text()))):
            if name not in known | OF_DEPLOY and name.removesuffix("_FILE") not in known:
                fault(f"{path}: no role reads {name}")


def check_compose():
    [compose] = documents(DEPLOY / "compose.yaml")
    services = compose["services"]
    for name, service in services.items():
        for other in service.get("depends_on", {}):
            if other not in services:
                fault(f"compose.yaml: {name} depends on {other}, which does not exist")
            elif "healthcheck" not in services[other]:
                fault(f"compose.yaml: {name} waits until {other} is healthy, which has no check")
        for config in service.get("configs", []):
            if config["source"] not in compose["configs"]:
                fault(f"compose.yaml: {name} has the configuration {config['source']}, which does not exist")
        for url in service.get("environment", {}).values():
            host = re.match(r"\w+://(?:[^@/]*@)?([\w-]+)", str(url))
            if host and host[1] not in services:
                fault(f"compose.yaml: {name} calls {host[1]}, which does not exist")
        for published in service.get("ports", []):
            if not published.startswith("127.0.0.1:"):
                fault(f"compose.yaml: {name} is published beyond loopback: {published}")
    for name, config in compose["configs"].items():
        if "file" in config and not (DEPLOY / config["file"]).exists():
            fault(f"compose.yaml: the configuration {name} is {config['file']}, which does not exist")
    texts = "".join(config.get("content", "") for config in compose["configs"].values())
    for host in re.findall(r"\b([a-z][\w-]*):(?:7007|9090)\b", texts):
        if host not in services:
            fault(f"compose.yaml: a configuration names {host}, which does not exist")


def check_kubernetes():
    folder = DEPLOY / "kubernetes"
    [kustomization] = documents(folder / "kustomization.yaml")
    listed = set(kustomization["resources"])
    found = {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}
    for name in sorted(listed ^ found):
        fault(f"kubernetes: {name} is not both in the folder and in kustomization.yaml")
    for generated in kustomization["configMapGenerator"]:
        for name in generated.get("files", []):
            if not (folder / name).exists():
                fault(f"kubernetes: {name} does not exist")
    maps = {generated["name"] for generated in kustomization["configMapGenerator"]}
    manifests = [document for name in sorted(listed & found) for document in documents(folder / name)]
    pods = [m["spec"]["template"] for m in manifests if m["kind"] == "Deployment"]
    labels = [pod["metadata"]["labels"] for pod in pods]
    services = {m["metadata"]["name"] for m in manifests if m["kind"] == "Service"}
    for pod in pods:
        [container] = pod["spec"]["containers"]
        sources = [source["configMapRef"]["name"] for source in container["envFrom"]]
        sources += [volume["configMap"]["name"] for volume in pod["spec"]["volumes"] if "configMap" in volume]
        for name in sources:
            if name not in maps:
                fault(f"kubernetes: {container['name']} has the configuration {name}, which does not exist")
    for manifest in manifests:
        spec, name = manifest["spec"], f"{manifest['kind']} {manifest['metadata']['name']}"
        selector = spec.get("podSelector", spec.get("selector", {}))
        wanted = selector.get("matchLabels", selector if manifest["kind"] == "Service" else {})
        if not any(wanted.items() <= of_pod.items() for of_pod in labels):
            fault(f"kubernetes: {name} selects no pod")
    for generated in kustomization["configMapGenerator"]:
        for literal in generated.get("literals", []):
            host = re.match(r"TENUTO_(?:QUERY|COMMAND)_URL=http://([\w-]+):7007$", literal)
            if host and host[1] not in services:
                fault(f"kubernetes: {literal}: there is no such service")


def check_unit():
    unit = (DEPLOY / "systemd" / "tenuto@.service").read_text()
    for name in re.findall(r"^EnvironmentFile=-/etc/tenuto/(.*)$", unit, re.M):
        roles = ROLES[:3] + ROLES[4:] if "%i" in name else [""]
        for role in roles:
            if not (DEPLOY / "etc" / name.replace("%i", role)).exists():
                fault(f"tenuto@.service: {name.replace('%i', role)} is not in deploy/etc")


check_variables()
check_compose()
check_kubernetes()
check_unit()
for text in faults:
    print(text, file=sys.stderr)
sys.exit(bool(faults))
