"""Rasa's NLU HTTP API, for assistants that name us as `nlu: url:` in endpoints.yml."""
