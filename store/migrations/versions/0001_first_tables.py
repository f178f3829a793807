"""The tables of the first release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "adapter",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("last_success_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stored", sa.Integer(), nullable=False),
        sa.Column("deliveries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adapter")),
        sa.UniqueConstraint("name", name=op.f("uq_adapter_name")),
    )
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=True),
        sa.Column("previous", sa.String(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit")),
        sa.UniqueConstraint("hash", name=op.f("uq_audit_hash")),
        sa.UniqueConstraint("previous_hash", name=op.f("uq_audit_previous_hash")),
    )
    op.create_table(
        "episode",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("family", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("champion", sa.String(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("alarmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("samples_to_alarm", sa.Integer(), nullable=False),
        sa.Column("ap_before", sa.Float(), nullable=True),
        sa.Column("auroc_before", sa.Float(), nullable=True),
        sa.Column("version", sa.String(), nullable=True),
        sa.Column("learned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ap_after", sa.Float(), nullable=True),
        sa.Column("samples_after", sa.Integer(), nullable=False),
        sa.Column("recovered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("groups_at_attempt", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_episode")),
    )
    op.create_index(
        "ix_episode_one_open",
        "episode",
        ["family"],
        unique=True,
        sqlite_where=sa.text("state IN ('alarmed', 'learned')"),
        postgresql_where=sa.text("state IN ('alarmed', 'learned')"),
    )

    op.create_table(
        "evaluation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("subject_kind", sa.String(), nullable=False),
        sa.Column("subject_name", sa.String(), nullable=False),
        sa.Column("profile", sa.String(), nullable=False),
        sa.Column("window", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("groups", sa.Integer(), nullable=False),
        sa.Column("ap", sa.Float(), nullable=True),
        sa.Column("ap_lower", sa.Float(), nullable=True),
        sa.Column("ap_upper", sa.Float(), nullable=True),
        sa.Column("approximate", sa.Boolean(), nullable=False),
        sa.Column("auroc", sa.Float(), nullable=True),
        sa.Column("auroc_lower", sa.Float(), nullable=True),
        sa.Column("auroc_upper", sa.Float(), nullable=True),
        sa.Column("recall", sa.Float(), nullable=True),
        sa.Column("recall_lower", sa.Float(), nullable=True),
        sa.Column("recall_upper", sa.Float(), nullable=True),
        sa.Column("false_positive_rate", sa.Float(), nullable=True),
        sa.Column("false_positive_lower", sa.Float(), nullable=True),
        sa.Column("false_positive_upper", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluation")),
        sa.UniqueConstraint(
            "version", "subject_kind", "subject_name", "profile", "window", "at", name="uq_evaluation_once"
        ),
    )
    op.create_table(
        "event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
        sa.UniqueConstraint("key", name=op.f("uq_event_key")),
    )
    op.create_index("ix_event_sent_at", "event", ["sent_at"], unique=False)

    op.create_table(
        "family",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=True),
        sa.Column("released", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_family")),
        sa.UniqueConstraint("name", name=op.f("uq_family_name")),
    )
    op.create_table(
        "run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job", sa.String(), nullable=False),
        sa.Column("tick", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("holder", sa.String(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
        sa.UniqueConstraint("job", "tick", name=op.f("uq_run_job_tick")),
    )
    op.create_index("ix_run_state_job", "run", ["state", "job"], unique=False)

    op.create_table(
        "sample_group",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("split", sa.String(), nullable=False),
        sa.Column("fold", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sample_group")),
        sa.UniqueConstraint("key", name=op.f("uq_sample_group_key")),
    )
    op.create_table(
        "source",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("trust", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source")),
        sa.UniqueConstraint("name", name=op.f("uq_source_name")),
    )
    op.create_table(
        "statistics",
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("subject_kind", sa.String(), nullable=False),
        sa.Column("subject_name", sa.String(), nullable=False),
        sa.Column("profile", sa.String(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", "subject_kind", "subject_name", "profile", name=op.f("pk_statistics")),
    )
    op.create_table(
        "statistics_revision",
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_statistics_revision")),
    )
    op.create_table(
        "test_state",
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("subject_kind", sa.String(), nullable=False),
        sa.Column("subject_name", sa.String(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("log10_evidence", sa.Float(), nullable=False),
        sa.Column("log10_alarm", sa.Float(), nullable=False),
        sa.Column("votes", sa.Integer(), nullable=False),
        sa.Column("last_score_id", sa.Integer(), nullable=False),
        sa.Column("first_vote_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("alarmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("version", "subject_kind", "subject_name", name=op.f("pk_test_state")),
    )
    op.create_table(
        "vector_shard",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("profile", sa.String(), nullable=False),
        sa.Column("dimension", sa.Integer(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vector_shard")),
        sa.UniqueConstraint("digest", name=op.f("uq_vector_shard_digest")),
    )
    op.create_index("ix_vector_shard_fingerprint_profile", "vector_shard", ["fingerprint", "profile"], unique=False)

    op.create_table(
        "version",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("parent", sa.String(), nullable=True),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("learner", sa.String(), nullable=False),
        sa.Column("statistics_revision", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("manifest_sha256", sa.String(), nullable=False),
        sa.Column("tensors_sha256", sa.String(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["parent"], ["version.id"], name=op.f("fk_version_parent_version")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_version")),
        sa.UniqueConstraint("manifest_sha256", name=op.f("uq_version_manifest_sha256")),
        sa.UniqueConstraint("number", name=op.f("uq_version_number")),
    )
    op.create_table(
        "alias",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["version"], ["version.id"], name=op.f("fk_alias_version_version")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_alias")),
    )
    op.create_table(
        "rejection",
        sa.Column("adapter_id", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["adapter_id"], ["adapter.id"], name=op.f("fk_rejection_adapter_id_adapter")),
        sa.PrimaryKeyConstraint("adapter_id", "outcome", "reason", name=op.f("pk_rejection")),
    )
    op.create_table(
        "sample",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("format", sa.String(), nullable=True),
        sa.Column("phash", sa.String(), nullable=True),
        sa.Column("has_blob", sa.Boolean(), nullable=False),
        sa.Column("label", sa.String(), nullable=True),
        sa.Column("label_from", sa.String(), nullable=True),
        sa.Column("family_id", sa.Integer(), nullable=True),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("adapter_id", sa.Integer(), nullable=False),
        sa.Column("caption", sa.Text(), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("quarantined_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["adapter_id"], ["adapter.id"], name=op.f("fk_sample_adapter_id_adapter")),
        sa.ForeignKeyConstraint(["family_id"], ["family.id"], name=op.f("fk_sample_family_id_family")),
        sa.ForeignKeyConstraint(["group_id"], ["sample_group.id"], name=op.f("fk_sample_group_id_sample_group")),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name=op.f("fk_sample_source_id_source")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sample")),
        sa.UniqueConstraint("sha256", name=op.f("uq_sample_sha256")),
    )
    op.create_index("ix_sample_adapter_id", "sample", ["adapter_id"], unique=False)
    op.create_index("ix_sample_delivered_at_sha256", "sample", ["delivered_at", "sha256"], unique=False)
    op.create_index("ix_sample_family_id", "sample", ["family_id"], unique=False)
    op.create_index("ix_sample_group_id", "sample", ["group_id"], unique=False)
    op.create_index("ix_sample_source_id", "sample", ["source_id"], unique=False)
    op.create_index("ix_sample_state_label", "sample", ["state", "label"], unique=False)

    op.create_table(
        "delivery",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("adapter_id", sa.Integer(), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("sample_id", sa.Integer(), nullable=True),
        sa.Column("label", sa.String(), nullable=True),
        sa.Column("family", sa.String(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("group", sa.String(), nullable=True),
        sa.Column("caption", sa.Text(), nullable=True),
        sa.Column("released", sa.String(), nullable=True),
        sa.Column("kind", sa.String(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["adapter_id"], ["adapter.id"], name=op.f("fk_delivery_adapter_id_adapter")),
        sa.ForeignKeyConstraint(["sample_id"], ["sample.id"], name=op.f("fk_delivery_sample_id_sample")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("adapter_id", "uri", "sha256", name=op.f("uq_delivery_adapter_id_uri_sha256")),
    )
    op.create_index("ix_delivery_sample_id", "delivery", ["sample_id"], unique=False)

    op.create_table(
        "learned",
        sa.Column("sample_id", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("subject_kind", sa.String(), nullable=False),
        sa.Column("subject_name", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["sample_id"], ["sample.id"], name=op.f("fk_learned_sample_id_sample")),
        sa.PrimaryKeyConstraint("sample_id", "fingerprint", name=op.f("pk_learned")),
    )
    op.create_index(
        "ix_learned_fingerprint_subject_kind_subject_name",
        "learned",
        ["fingerprint", "subject_kind", "subject_name"],
        unique=False,
    )

    op.create_table(
        "score",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sample_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("profile", sa.String(), nullable=False),
        sa.Column("logit", sa.Float(), nullable=False),
        sa.Column("learned", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["sample_id"], ["sample.id"], name=op.f("fk_score_sample_id_sample")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_score")),
        sa.UniqueConstraint("sample_id", "profile", "version", name=op.f("uq_score_sample_id_profile_version")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_score_version_profile_id", "score", ["version", "profile", "id"], unique=False)

    op.create_table(
        "vector",
        sa.Column("sample_id", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("profile", sa.String(), nullable=False),
        sa.Column("shard_id", sa.Integer(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["sample_id"], ["sample.id"], name=op.f("fk_vector_sample_id_sample")),
        sa.ForeignKeyConstraint(["shard_id"], ["vector_shard.id"], name=op.f("fk_vector_shard_id_vector_shard")),
        sa.PrimaryKeyConstraint("sample_id", "fingerprint", "profile", name=op.f("pk_vector")),
        sa.UniqueConstraint("shard_id", "row", name=op.f("uq_vector_shard_id_row")),
    )
