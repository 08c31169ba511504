"""``connections``: the services outside, each optional, each with an embedded stand-in; secrets through ``@env``."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, ValidationInfo, field_validator

from tusk_platform.plan.drafts import Fragment
from tusk_platform.plan.nodes import Connection, Inactive
from tusk_platform.sections.block import Block
from tusk_platform.sections.fields import (
    AtLeastOne,
    EnvReference,
    HttpAddress,
    Location,
    Secret,
    Text,
    address,
    whole,
    wrong,
)
from tusk_platform.sections.place import Place

# What something connects to today.
_CARRIED_OUT: Final = frozenset({"database", "kafka", "mqtt", "prometheus", "s3"})

Port = Annotated[int | EnvReference, whole(1, 65_535)]
DatabaseAddress = Annotated[str | EnvReference, address("postgresql", "postgres")]


class Kafka(Block):
    """A Kafka cluster, for `kafka` streams."""

    bootstrap_servers: Text = Field(description="Brokers, `host:port` with commas.", examples=["broker:9092"])
    security_protocol: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = Field(
        default="plaintext", description="How brokers are spoken to.", examples=["sasl_ssl"]
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        default=None, description="How we say who we are.", examples=["SCRAM-SHA-512"]
    )
    username: Text | None = Field(default=None, description="Who we are.", examples=["@env(KAFKA_USER)"])
    password: Secret | None = Field(default=None, description="Its password.", examples=["@env(KAFKA_PASSWORD)"])
    ca_location: Text | None = Field(
        default=None, description="File with the certificates to trust.", examples=["/etc/ssl/kafka.pem"]
    )


class Prometheus(Block):
    """A Prometheus server, for `prometheus` streams."""

    url: HttpAddress = Field(description="Its address.", examples=["http://prometheus:9090"])
    username: Text | None = Field(default=None, description="Who we are.", examples=["@env(PROMETHEUS_USER)"])
    password: Secret | None = Field(default=None, description="Its password.", examples=["@env(PROMETHEUS_PASSWORD)"])
    token: Secret | None = Field(
        default=None, description="A bearer token, in place of name and password.", examples=["@env(PROMETHEUS_TOKEN)"]
    )


class Database(Block):
    """A PostgreSQL database."""

    url: DatabaseAddress = Field(
        description="Its address, without a password in clear.", examples=["@env(DATABASE_URL)"]
    )
    username: Text | None = Field(default=None, description="Who we are, if not in the address.", examples=["tusk"])
    password: Secret | None = Field(default=None, description="Its password.", examples=["@env(DATABASE_PASSWORD)"])


class Mqtt(Block):
    """An MQTT broker, for `mqtt` streams."""

    host: Text = Field(description="Its host.", examples=["broker"])
    port: Port = Field(default=1883, description="Its port.", examples=[1883])
    username: Text | None = Field(default=None, description="Who we are.", examples=["@env(MQTT_USER)"])
    password: Secret | None = Field(default=None, description="Its password.", examples=["@env(MQTT_PASSWORD)"])
    tls: bool = Field(default=False, description="Whether the connection is encrypted.", examples=[True])
    ca_location: Text | None = Field(
        default=None, description="File with the certificates to trust.", examples=["/etc/ssl/mqtt.pem"]
    )
    client_id: Text | None = Field(
        default=None,
        description="Names of the persistent sessions begin with it, the stream follows; not said: a lasting one.",
        examples=["tusk"],
    )


class Redis(Block):
    """A Redis server, for the feature store."""

    url: Annotated[str | EnvReference, address("redis", "rediss")] = Field(
        description="Its address.", examples=["redis://redis:6379/0"]
    )
    username: Text | None = Field(default=None, description="Who we are.", examples=["@env(REDIS_USER)"])
    password: Secret | None = Field(default=None, description="Its password.", examples=["@env(REDIS_PASSWORD)"])


class Flink(Block):
    """A Flink cluster, for `engine = "apache_flink"`."""

    url: HttpAddress = Field(description="Address of its SQL gateway.", examples=["http://flink-gateway:8083"])
    token: Secret | None = Field(default=None, description="A bearer token.", examples=["@env(FLINK_TOKEN)"])


class Lake(Block):
    """Where the lake's tables are."""

    uri: Location = Field(description="A folder or an `s3://` address.", examples=["s3://analytics/lake"])


class S3(Block):
    """An object store, for the lake and for checkpoints."""

    endpoint: HttpAddress | None = Field(
        default=None, description="Its address; not said: Amazon's.", examples=["http://minio:9000"]
    )
    region: Text = Field(default="us-east-1", description="Its region.", examples=["eu-central-1"])
    access_key: Secret | None = Field(default=None, description="Key id.", examples=["@env(S3_ACCESS_KEY)"])
    secret_key: Secret | None = Field(default=None, description="Secret key.", examples=["@env(S3_SECRET_KEY)"])


class Smtp(Block):
    """A mail server, for alerts by e-mail."""

    host: Text = Field(description="Its host.", examples=["smtp.example.org"])
    port: Port = Field(default=587, description="Its port.", examples=[587])
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="How the connection is encrypted.", examples=["starttls"]
    )
    username: Text | None = Field(default=None, description="Who we are.", examples=["@env(SMTP_USER)"])
    password: Secret | None = Field(default=None, description="Its password.", examples=["@env(SMTP_PASSWORD)"])
    sender: Text = Field(description="Address that mails come from.", examples=["tusk@example.org"])
    recipients: AtLeastOne[Text] = Field(description="Addresses that get them.", examples=[["oncall@example.org"]])


class Slack(Block):
    """A Slack channel, for alerts."""

    url: HttpAddress = Field(description="Address of the incoming webhook.", examples=["@env(SLACK_WEBHOOK_URL)"])
    channel: Text | None = Field(default=None, description="Channel, if not the webhook's own.", examples=["#alerts"])


class Webhook(Block):
    """Any HTTP service, for alerts; what it gets is signed."""

    url: HttpAddress = Field(description="Its address.", examples=["https://hooks.example.org/tusk"])
    secret: Secret | None = Field(
        default=None, description="Key of the signature; not said: unsigned.", examples=["@env(WEBHOOK_SECRET)"]
    )


class PagerDuty(Block):
    """PagerDuty's Events API v2, for `page_oncall`."""

    routing_key: Secret = Field(description="Integration key of the service.", examples=["@env(PAGERDUTY_KEY)"])
    url: HttpAddress = Field(
        default="https://events.pagerduty.com",
        description="Its address.",
        examples=["https://events.eu.pagerduty.com"],
    )


class GoogleAnalyticsAccess(Block):
    """The Google Analytics Data API, for `google_analytics` sources."""

    credentials: Secret = Field(
        description="Service account: the JSON, or the path of its file.", examples=["@env(GA_CREDENTIALS)"]
    )
    url: HttpAddress = Field(
        default="https://analyticsdata.googleapis.com",
        description="Its address.",
        examples=["https://analyticsdata.googleapis.com"],
    )


class SalesforceAccess(Block):
    """A Salesforce instance, for `salesforce` sources."""

    url: HttpAddress = Field(description="Its address.", examples=["https://example.my.salesforce.com"])
    client_id: Text = Field(description="The connected app.", examples=["@env(SALESFORCE_CLIENT_ID)"])
    client_secret: Secret = Field(description="Its secret.", examples=["@env(SALESFORCE_CLIENT_SECRET)"])


class TwitterAccess(Block):
    """Twitter's API v2, for `twitter_api` sources."""

    token: Secret = Field(description="A bearer token.", examples=["@env(TWITTER_TOKEN)"])
    url: HttpAddress = Field(
        default="https://api.twitter.com", description="Its address.", examples=["https://api.x.com"]
    )


class External(Block):
    """Data from outside that models join as of event time: an HTTP service or a file."""

    url: HttpAddress | None = Field(
        default=None, description="Address that answers with rows.", examples=["https://weather.example.org/daily"]
    )
    path: Text | None = Field(
        default=None,
        validate_default=True,
        description="A file of rows, in place of an address.",
        examples=["weather.csv"],
    )
    token: Secret | None = Field(default=None, description="A bearer token.", examples=["@env(WEATHER_TOKEN)"])

    @field_validator("path")
    @classmethod
    def _address_or_file(cls, value: str | EnvReference | None, info: ValidationInfo) -> str | EnvReference | None:
        if value is None and "url" in info.data and info.data["url"] is None:
            raise wrong("neither `url` nor `path` is said", 'such as `path = "weather.csv"`')
        if value is not None and info.data.get("url") is not None:
            raise wrong("both `url` and `path` are said", "leave one out")
        return value


class Mlflow(Block):
    """An MLflow tracking server, for models."""

    url: HttpAddress = Field(description="Its address.", examples=["http://mlflow:5000"])
    username: Text | None = Field(default=None, description="Who we are.", examples=["@env(MLFLOW_USER)"])
    password: Secret | None = Field(default=None, description="Its password.", examples=["@env(MLFLOW_PASSWORD)"])
    token: Secret | None = Field(
        default=None, description="A bearer token, in place of name and password.", examples=["@env(MLFLOW_TOKEN)"]
    )


class Connections(Block):
    """The services outside, each optional."""

    kafka: Kafka | None = Field(default=None, description="For `kafka` streams; else an embedded log.")
    prometheus: Prometheus | None = Field(
        default=None, description="For `prometheus` streams; else this machine's own metrics."
    )
    database: Database | None = Field(
        default=None, description="Source of `database` streams and of tables in queries; else an embedded log."
    )
    mqtt: Mqtt | None = Field(default=None, description="For `mqtt` streams; else an embedded log.")
    redis: Redis | None = Field(default=None, description="For the feature store; else an embedded one.")
    flink: Flink | None = Field(default=None, description="For `apache_flink`; else the embedded engine.")
    lake: Lake | None = Field(default=None, description="Where the lake is; else in the state folder.")
    s3: S3 | None = Field(default=None, description="Credentials and endpoint of `s3://` addresses.")
    smtp: Smtp | None = Field(default=None, description="For alerts by e-mail; else a local outbox.")
    slack: Slack | None = Field(default=None, description="For alerts on Slack; else a local outbox.")
    webhook: Webhook | None = Field(default=None, description="For alerts to a webhook; else a local outbox.")
    pagerduty: PagerDuty | None = Field(default=None, description="For `page_oncall`; else the webhook or the outbox.")
    google_analytics: GoogleAnalyticsAccess | None = Field(
        default=None, description="For `google_analytics` sources; else generated data."
    )
    salesforce: SalesforceAccess | None = Field(
        default=None, description="For `salesforce` sources; else generated data."
    )
    twitter: TwitterAccess | None = Field(default=None, description="For `twitter_api` sources; else generated data.")
    weather: External | None = Field(default=None, description="Weather, as a feature; else not active.")
    events: External | None = Field(default=None, description="Public events, as a feature; else not active.")
    mlflow: Mlflow | None = Field(default=None, description="For models; else a local server.")
    postgres: Database | None = Field(
        default=None, description="The platform's own storage of runs, models and locks; else files."
    )


def lower(section: Connections, place: Place) -> Fragment:
    """The connections said, secrets by reference only."""
    said = section.model_dump(mode="json", exclude_none=True)
    return Fragment(
        connections=tuple(Connection(name, values, place.at("connections", name)) for name, values in said.items()),
        inactive=tuple(
            Inactive(f"connections.{name}", "checked, but nothing connects to it yet")
            for name in said
            if name not in _CARRIED_OUT
        ),
    )
