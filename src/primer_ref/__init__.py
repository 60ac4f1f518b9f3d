"""The equations of *LLM Primer II* as short, tested NumPy functions.

The package has one flat module per concept; import the module you need::

    from primer_ref import attention, functional, information
"""

__version__ = "0.3.0.dev0"
