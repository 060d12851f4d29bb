"""The secret of every signed store in the suite: nothing here is worth hiding."""

SECRET = "correct horse battery staple, said the benchmark"
