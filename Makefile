# The verbs of packaging/dev, for those who type make. Arguments: make test ARGS="tests/unit -k gguf"
.PHONY: run test lint bench package
run test lint bench package:
	@./packaging/dev $@ $(ARGS)
