//! Connectors to the sources that units have.
