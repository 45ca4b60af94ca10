"""An online endpoint on this machine, to rehearse rollouts on: real servers behind a splitter like
that of Azure."""
