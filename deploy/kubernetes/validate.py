"""Checks manifests from standard input without a cluster: Kubernetes' kinds against its own schemas, unknown fields
refused, and Dapr's kinds against the schemas in its custom resource definitions. The one argument is their folder.
Beyond that, what only the whole can tell: references between the manifests."""
import pathlib
import sys

import jsonschema
import kubernetes_validate
import yaml

KUBERNETES = "1.34"


def dapr_schemas(folder):
    schemas = {}
    for path in pathlib.Path(folder).glob("*.yaml"):
        for definition in yaml.safe_load_all(path.read_text()):
            if not definition:
                continue
            for version in definition["spec"]["versions"]:
                kind = (f"{definition['spec']['group']}/{version['name']}", definition["spec"]["names"]["kind"])
                schemas[kind] = closed(version["schema"]["openAPIV3Schema"])
    return schemas


def closed(schema):
    """A field that the definition does not know is dropped by the API server: here it is a mistake."""
    if isinstance(schema, dict):
        if "properties" in schema and "additionalProperties" not in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
            schema["additionalProperties"] = False
        if schema.get("properties", {}).get("metadata") == {"type": "object"}:
            schema["properties"]["metadata"] = {"type": "object"}
        for value in schema.values():
            closed(value)
    elif isinstance(schema, list):
        for value in schema:
            closed(value)
    return schema


def problems(documents, schemas):
    for document in documents:
        name = f"{document['kind']} {document['metadata']['name']}"
        kind = (document["apiVersion"], document["kind"])
        if kind in schemas:
            for error in jsonschema.Draft202012Validator(schemas[kind]).iter_errors(document):
                yield f"{name}: {error.json_path}: {error.message}"
        else:
            try:
                kubernetes_validate.validate(document, KUBERNETES, strict=True)
            except kubernetes_validate.ValidationError as error:
                yield f"{name}: {'.'.join(map(str, error.path))}: {error.message}"
            except kubernetes_validate.SchemaNotFoundError:
                yield f"{name}: nobody knows {kind[0]} {kind[1]}"
    yield from loose_ends(documents)


def loose_ends(documents):
    def named(kind):
        return {d["metadata"]["name"]: d for d in documents if d["kind"] == kind}

    configurations, deployments = named("Configuration"), named("Deployment")
    apps = set()
    for name, deployment in deployments.items():
        notes = deployment["spec"]["template"]["metadata"]["annotations"]
        apps.add(notes.get("dapr.io/app-id"))
        if notes.get("dapr.io/config") not in configurations:
            yield f"Deployment {name}: no Configuration {notes.get('dapr.io/config')}"
        for container in deployment["spec"]["template"]["spec"]["containers"]:
            if "readinessProbe" not in container or "livenessProbe" not in container:
                yield f"Deployment {name}: {container['name']} has no probes"
        for kind in ("PodDisruptionBudget", "HorizontalPodAutoscaler", "ServiceAccount"):
            if name not in named(kind):
                yield f"Deployment {name}: no {kind}"
    for document in documents:
        for app in document.get("scopes", []):
            if app not in apps:
                yield f"{document['kind']} {document['metadata']['name']}: no app {app}"
        if document["kind"] == "Secret":
            yield f"Secret {document['metadata']['name']}: secrets are made outside, here they are only referred to"
    for name, configuration in configurations.items():
        for policy in configuration["spec"].get("accessControl", {}).get("policies", []):
            if policy["appId"] not in apps or policy["namespace"] != configuration["metadata"]["namespace"]:
                yield f"Configuration {name}: nobody is {policy['namespace']}/{policy['appId']}"


def main():
    documents = [d for d in yaml.safe_load_all(sys.stdin) if d]
    found = list(problems(documents, dapr_schemas(sys.argv[1])))
    for problem in found:
        print(problem, file=sys.stderr)
    if found or not documents:
        sys.exit(1)
    print(f"{len(documents)} manifests are valid")


if __name__ == "__main__":
    main()
