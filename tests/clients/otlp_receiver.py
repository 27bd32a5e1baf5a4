"""An OTLP/gRPC receiver that shares no code with ours: the specification's own Python package on grpcio.

Prints its port, and then every span and every log record that arrives as one line of JSON, until its standard input ends.
"""

import json
import sys
import threading
from concurrent import futures

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs_service
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc as logs_rpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as rpc
from opentelemetry.proto.logs.v1 import logs_pb2 as logs
from opentelemetry.proto.trace.v1 import trace_pb2 as trace

PRINTING = threading.Lock()


def say(value):
    with PRINTING:
        print(json.dumps(value), flush=True)


def attributes(pairs):
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


class Receiver(rpc.TraceServiceServicer):
    def Export(self, request, context):
        for resource in request.resource_spans:
            emitter = attributes(resource.resource.attributes)
            for scope in resource.scope_spans:
                for span in scope.spans:
                    say(
                        {
                            "emitter": emitter,
                            "scope": scope.scope.name,
                            "trace": span.trace_id.hex(),
                            "span": span.span_id.hex(),
                            "parent": span.parent_span_id.hex(),
                            "name": span.name,
                            "kind": trace.Span.SpanKind.Name(span.kind),
                            "start": span.start_time_unix_nano,
                            "end": span.end_time_unix_nano,
                            "attributes": attributes(span.attributes),
                            "status": trace.Status.StatusCode.Name(span.status.code),
                            "message": span.status.message,
                        }
                    )
        return service.ExportTraceServiceResponse()


class LogReceiver(logs_rpc.LogsServiceServicer):
    def Export(self, request, context):
        for resource in request.resource_logs:
            emitter = attributes(resource.resource.attributes)
            for scope in resource.scope_logs:
                for record in scope.log_records:
                    say(
                        {
                            "emitter": emitter,
                            "event": record.event_name,
                            "time": record.time_unix_nano,
                            "severity": logs.SeverityNumber.Name(record.severity_number),
                            "severity_text": record.severity_text,
                            "body": record.body.string_value,
                            "attributes": attributes(record.attributes),
                        }
                    )
        return logs_service.ExportLogsServiceResponse()


def main():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    rpc.add_TraceServiceServicer_to_server(Receiver(), server)
    logs_rpc.add_LogsServiceServicer_to_server(LogReceiver(), server)
    say({"port": server.add_insecure_port("127.0.0.1:0")})
    server.start()
    sys.stdin.read()
    server.stop(grace=5).wait()


if __name__ == "__main__":
    main()
