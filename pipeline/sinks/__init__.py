"""The sinks: rows as JSON lines and Parquet while a stream runs, pictures of it afterwards."""
