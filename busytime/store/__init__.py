"""Tables, repositories, units of work and migrations: the only package that imports SQLAlchemy."""
