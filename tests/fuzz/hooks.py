"""What schemathesis does not know by itself: how an import's body goes over the wire."""
import schemathesis


@schemathesis.serializer("application/x-ndjson")
def ndjson(context, value):
    return value if isinstance(value, bytes) else str(value).encode()
