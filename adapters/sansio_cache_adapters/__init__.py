"""What touches the world: clients and stores around the pure core of :mod:`sansio_cache`."""
