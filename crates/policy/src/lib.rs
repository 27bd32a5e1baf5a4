//! What a unit allows on its data: uses per column, release terms. Pure.
