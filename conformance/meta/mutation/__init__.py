"""Mutation of providers: each mutant is one provider with one thing changed, and the suite ought to notice."""
