"""Reads every view of `analytics` by what SQLAlchemy learns of it, and prints what that is."""

import json

from sqlalchemy import MetaData, Table, create_engine, inspect, select

engine = create_engine("postgresql+psycopg://")
inspector = inspect(engine)
for name in sorted(inspector.get_view_names(schema="analytics")):
    view = Table(name, MetaData(), schema="analytics", autoload_with=engine)
    with engine.connect() as connection:
        rows = connection.execute(select(view)).all()
    unknown = [column.name for column in view.columns if column.type.__class__.__name__ == "NullType"]
    bare = [column.name for column in view.columns if not column.comment]
    print(json.dumps({"view": name, "comment": view.comment, "rows": len(rows),
                      "columns": len(view.columns), "unknown": unknown, "bare": bare}))
