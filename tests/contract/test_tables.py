"""The migrations make exactly the tables that the rows declare, on request or, in SQLite, by themselves."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, inspect

from skills.errors import SchemaError
from storage import schema
from storage.catalog import Catalog
from storage.database import Database
from storage.tables import Base, SkillRow


def test_models_equal_migrations(url: str) -> None:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, Base.metadata) == []
    finally:
        engine.dispose()


def test_constraints_have_the_names_that_the_models_give(url: str) -> None:
    """Autogeneration does not compare primary keys, checks and names; a later migration needs them."""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            inspector = inspect(connection)
            for table in Base.metadata.sorted_tables:
                found = {inspector.get_pk_constraint(table.name)["name"]}
                found |= {key["name"] for key in inspector.get_foreign_keys(table.name)}
                found |= {key["name"] for key in inspector.get_unique_constraints(table.name)}
                found |= {key["name"] for key in inspector.get_check_constraints(table.name)}
                assert found == {key.name for key in table.constraints}, table.name
    finally:
        engine.dispose()


def test_times_are_read_as_utc_whatever_zone_they_were_written_in(url: str) -> None:
    noon = datetime(2026, 3, 29, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    with closing(Database(url)) as database:
        with database.write() as session:
            session.add(SkillRow(name="banking", kind="intent", created_at=noon))
        with database.read() as session:
            read = session.query(SkillRow).one()
            assert (read.created_at, read.created_at.tzinfo, read.deleted_at) == (noon, UTC, None)


def test_only_sqlite_is_migrated_unasked(empty_url: str) -> None:
    if empty_url.startswith("sqlite"):
        Catalog.open(empty_url).close()
    else:
        with pytest.raises(SchemaError, match=r"has schema none, .* run: softspoken db upgrade --catalog"):
            Catalog.open(empty_url)
        assert schema.status(empty_url).current is None
    assert schema.upgrade(empty_url).is_current
    with closing(Catalog.open(empty_url)) as catalog:
        assert catalog.revision() == 0


def test_newer_schema_is_refused(url: str) -> None:
    with closing(create_engine(url).connect()) as connection, connection.begin():
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    connection.engine.dispose()
    with pytest.raises(SchemaError, match="this program is older than the catalog; upgrade softspoken"):
        Catalog.open(url)
