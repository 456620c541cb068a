-- SPDX-License-Identifier: Apache-2.0
-- Plugins ask the kernel to turn a patient's identifiers into pseudonyms while data comes in.
-- Identifiers go in this one direction: nobody else may ask, whatever their role.

rule {
	name = "pseudonyms-for-plugins",
	subjects = { "pseudonym.*" },
	decide = function(q)
		if q.principal.role == "plugin" then
			return permit("plugin '%s' may have identifiers replaced by pseudonyms", q.principal.name)
		end
		return deny("only this site's plugins may have identifiers replaced by pseudonyms")
	end,
}

-- A plugin acts for people; on its own it reads no cohort and starts no import.
rule {
	name = "plugins-ask-for-somebody",
	subjects = { "cohort.*", "imaging.*", "fhir.*", "genomics.import", "table.*" },
	decide = function(q)
		if q.principal.role == "plugin" then
			return deny("plugin '%s' asks for nobody; a person must ask", q.principal.name)
		end
	end,
}
