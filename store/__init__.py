"""The only place with SQL and file formats: tables, repositories, vectors, blobs, migrations."""
