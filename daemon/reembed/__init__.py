"""Moving a store from one encoder to another: vectors beside the old ones, shadow comparison, gate, switch."""
