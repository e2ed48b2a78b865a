"""What a kernel needs before anything else can be imported: the standard library is enough."""
