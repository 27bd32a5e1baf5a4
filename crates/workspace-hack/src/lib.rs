//! No code: the features that the whole workspace needs of shared dependencies, asked for in one place, so that
//! building one package alone (`-p`) does not build DataFusion anew with fewer of them.
