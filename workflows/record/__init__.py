"""What a run folder holds: journal, sessions, state; and how several of them become one."""
