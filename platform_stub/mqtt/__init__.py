"""MQTT: the platform's own broker, its passwords and rights, and the carrier that answers there."""
