"""grpcio with nothing but reflection: no `.proto` file, no generated code."""

import os

import grpc
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from setting import report, same, setting


def channel(given, party):
    cert, key = given.pem(party)
    credentials = grpc.ssl_channel_credentials(given.ca_pem().encode(), key.encode(), cert.encode())
    return grpc.secure_channel(f"{given.host}:{given.port}", credentials)


def method(channel, pool, service, name):
    descriptor = pool.FindServiceByName(service).FindMethodByName(name)
    request = message_factory.GetMessageClass(descriptor.input_type)
    response = message_factory.GetMessageClass(descriptor.output_type)
    call = channel.unary_unary(
        f"/{service}/{name}",
        request_serializer=request.SerializeToString,
        response_deserializer=response.FromString,
    )
    return call, request


def main():
    given = setting()
    with channel(given, "bank") as connection:
        database = ProtoReflectionDescriptorDatabase(connection)
        same("services", [n for n in database.get_services() if n.startswith("lingqu.")], ["lingqu.v1.Bodies", "lingqu.v1.Calls"])
        pool = descriptor_pool.DescriptorPool(database)
        verify, request_class = method(connection, pool, "lingqu.v1.Calls", "Verify")
        request = request_class(product=given.product)
        context = request.context
        context.call_id = os.urandom(16)
        context.grant = given.headers["lingqu-grant"]
        context.purpose = given.headers["lingqu-purpose"]
        context.scenario = given.headers["lingqu-scenario"]
        context.end_user = given.headers["lingqu-end-user"]
        environment = context.DESCRIPTOR.fields_by_name["environment"].enum_type
        context.environment = environment.values_by_name["ENVIRONMENT_PROD"].number
        for name, value in zip(["tail_number", "manufacturer", "model", "year"], given.arguments):
            claim = request.claims.add(field=name)
            if isinstance(value, int):
                claim.integer = value
            else:
                claim.text = value
        answer = verify(request)
        verdict = answer.DESCRIPTOR.fields_by_name["verdict"].enum_type
        same("the verdict", verdict.values_by_number[answer.verdict].name, "VERDICT_MATCH")
        same("the call", answer.call_id, context.call_id)
        request.context.purpose = "MARKETING"
        request.context.call_id = os.urandom(16)
        try:
            verify(request)
        except grpc.RpcError as error:
            assert error.details().startswith("PURPOSE_MISMATCH"), error.details()
        else:
            raise AssertionError("another purpose is answered")
        receipt = answer.receipt.SerializeToString()
    report(charged=1, receipt=receipt.hex())


main()
