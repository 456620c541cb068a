-- SPDX-License-Identifier: Apache-2.0
--
-- Which facts a FHIR R4 resource becomes. A site copies this file to HOME/mappings/fhir.lua, changes
-- the copy, looks at what it does with `cairn fhir map FILE`, and restarts the plugin.
--
-- resource { type = "Condition", entity = "condition", fact { ... }, fact { ... } }
--   type       the resource; of several with the same type the first whose `when` holds is taken
--   entity     what it becomes an entry of: patient condition observation procedure medication
--              specimen variant
--   subject    where the reference to the patient is ("subject.reference")
--   when       {["PATH"] = {VALUES}}: all of them hold
--   withdrawn  the same: one of them holds, and the source takes the entry back
--
-- fact { attribute = "diagnosis", as = "code", from = "code" }
--   attribute  of the cohort language (`cairn cohort fields`)
--   from       a path, or several: the first that gives a value. Of an array every element is meant;
--              name[CODE] are those whose `code` is CODE, name[URL] those whose `url` is URL
--   as         code     prefix:code of a Coding (the default)
--              map      through the table `map`; `other` is for what is not in it
--              number   of a number or Quantity, through `units` where given ({["UNIT"] = FACTOR})
--              unit     the Quantity's UCUM code
--              day      of a date; age: of an Age in years
--              tnm      "cT1a" is T1a; symbol, protein, coding, genomic, allele: of variants
--   when       as above
--   of         "patient": it is stated of the patient
--
-- Free text is never taken: there is no way to say it. A value that the attribute cannot have is left
-- out. issuers { ["SYSTEM"] = "ISSUER" } names the Issuer of Patient ID that images of the same
-- patients carry, for each Identifier.system.

local ENTERED_IN_ERROR = { "entered-in-error" }

local function extension(url) return "extension[" .. url .. "]" end
local MCODE = "http://hl7.org/fhir/us/mcode/StructureDefinition/"

-- ---- patients ------------------------------------------------------------------------------------

resource {
	type = "Patient", entity = "patient", subject = "id",
	fact { attribute = "sex", as = "map", from = "gender",
		map = { "male", "female", "other", "unknown" } },
	fact { attribute = "birth_date", as = "day", from = "birthDate" },
	fact { attribute = "vital_status", as = "map", from = "deceasedBoolean",
		map = { ["true"] = "deceased", ["false"] = "alive" } },
	fact { attribute = "vital_status", as = "map", from = "deceasedDateTime", map = { "-" },
		other = "deceased" },
	fact { attribute = "death_date", as = "day", from = "deceasedDateTime" },
}

-- ---- conditions: mCODE primary and secondary cancer, and any other --------------------------------

local SIDES = {
	["snomed:7771000"] = "left", ["snomed:24028007"] = "right", ["snomed:51440002"] = "bilateral",
	["snomed:80248007"] = "left", ["snomed:73056007"] = "right", -- left, right breast
	["snomed:44029006"] = "left", ["snomed:3341006"] = "right", -- left, right lung
}

resource {
	type = "Condition", entity = "condition",
	withdrawn = {
		["verificationStatus"] = {
			"http://terminology.hl7.org/CodeSystem/condition-ver-status|entered-in-error",
			"http://terminology.hl7.org/CodeSystem/condition-ver-status|refuted",
		},
	},
	fact { attribute = "diagnosis", from = "code" },
	fact { attribute = "diagnosis_date", as = "day",
		from = { extension("http://hl7.org/fhir/StructureDefinition/condition-assertedDate") .. ".valueDateTime",
			"onsetDateTime", "onsetPeriod.start", "recordedDate" } },
	fact { attribute = "age_at_diagnosis", as = "age", from = "onsetAge" },
	fact { attribute = "topography", from = "bodySite" },
	fact { attribute = "morphology",
		from = { extension(MCODE .. "mcode-histology-morphology-behavior") .. ".valueCodeableConcept" } },
	fact { attribute = "laterality", as = "map",
		from = { "bodySite." .. extension(MCODE .. "mcode-laterality-qualifier") .. ".valueCodeableConcept",
			extension(MCODE .. "mcode-laterality") .. ".valueCodeableConcept", "bodySite" },
		map = SIDES },
	fact { attribute = "clinical_status", as = "map", from = "clinicalStatus.coding.code",
		map = { "active", "recurrence", "relapse", "inactive", "remission", "resolved" } },
}

-- ---- variants (HL7 Genomics Reporting) ------------------------------------------------------------

local function component(code, value) return "component[loinc:" .. code .. "]." .. value end

resource {
	type = "Observation", entity = "variant",
	when = { ["code"] = { "loinc:69548-6" } },
	-- "absent" is no variant of the patient.
	withdrawn = { ["status"] = ENTERED_IN_ERROR, ["valueCodeableConcept"] = { "loinc:LA9634-2" } },
	fact { attribute = "gene", as = "symbol", from = component("48018-6", "valueCodeableConcept") },
	fact { attribute = "assembly", as = "map", from = component("62374-4", "valueCodeableConcept"),
		map = { ["loinc:LA14029-5"] = "GRCh37", ["loinc:LA26806-2"] = "GRCh38" } },
	fact { attribute = "chromosome", as = "map", from = component("48000-4", "valueCodeableConcept"),
		map = {
			["loinc:LA21254-0"] = "1", ["loinc:LA21255-7"] = "2", ["loinc:LA21256-5"] = "3",
			["loinc:LA21257-3"] = "4", ["loinc:LA21258-1"] = "5", ["loinc:LA21259-9"] = "6",
			["loinc:LA21260-7"] = "7", ["loinc:LA21261-5"] = "8", ["loinc:LA21262-3"] = "9",
			["loinc:LA21263-1"] = "10", ["loinc:LA21264-9"] = "11", ["loinc:LA21265-6"] = "12",
			["loinc:LA21266-4"] = "13", ["loinc:LA21267-2"] = "14", ["loinc:LA21268-0"] = "15",
			["loinc:LA21269-8"] = "16", ["loinc:LA21270-6"] = "17", ["loinc:LA21271-4"] = "18",
			["loinc:LA21272-2"] = "19", ["loinc:LA21273-0"] = "20", ["loinc:LA21274-8"] = "21",
			["loinc:LA21275-5"] = "22", ["loinc:LA21276-3"] = "X", ["loinc:LA21277-1"] = "Y",
		} },
	fact { attribute = "position", as = "number", from = component("81254-5", "valueRange.low") },
	fact { attribute = "reference_allele", as = "allele", from = component("69547-8", "valueString") },
	fact { attribute = "alternate_allele", as = "allele", from = component("69551-0", "valueString") },
	-- Assembly, chromosome, position and alleles of NC_000007.14:g.55191822T>G.
	fact { attribute = "variant", as = "genomic", from = component("81290-9", "valueCodeableConcept") },
	fact { attribute = "coding_change", as = "coding",
		from = { component("48004-6", "valueCodeableConcept"), component("81290-9", "valueCodeableConcept") } },
	fact { attribute = "protein_change", as = "protein", from = component("48005-3", "valueCodeableConcept") },
	fact { attribute = "zygosity", as = "map", from = component("53034-5", "valueCodeableConcept"),
		map = { ["loinc:LA6706-1"] = "heterozygous", ["loinc:LA6705-3"] = "homozygous",
			["loinc:LA6707-9"] = "hemizygous" } },
	fact { attribute = "origin", as = "map", from = component("48002-0", "valueCodeableConcept"),
		map = { ["loinc:LA6683-2"] = "germline", ["loinc:LA6684-0"] = "somatic" } },
	fact { attribute = "allele_fraction", as = "number", from = component("81258-6", "valueQuantity"),
		units = { ["1"] = 1, ["%"] = 0.01 } },
	fact { attribute = "clinical_significance", as = "map", from = component("53037-8", "valueCodeableConcept"),
		map = { ["loinc:LA6668-3"] = "pathogenic", ["loinc:LA26332-9"] = "likely_pathogenic",
			["loinc:LA26333-7"] = "uncertain_significance", ["loinc:LA26334-5"] = "likely_benign",
			["loinc:LA6675-8"] = "benign" } },
}

-- ---- observations ---------------------------------------------------------------------------------

local SIGNS = {
	["snomed:10828004"] = "positive", ["snomed:260385009"] = "negative",
	["loinc:LA6576-8"] = "positive", ["loinc:LA6577-6"] = "negative",
	["loinc:LA9633-4"] = "positive", ["loinc:LA9634-2"] = "negative",
}
local STAGES = {
	["snomed:1222769001"] = "IIB", ["snomed:1222806003"] = "IIIC", ["ncit:C96256"] = "IIIA",
	["ncit:C27970"] = "III", ["ncit:C27971"] = "IV", ["ncit:C27966"] = "I", ["ncit:C28054"] = "II",
	["I"] = "I", ["IA"] = "IA", ["IB"] = "IB", ["II"] = "II", ["IIA"] = "IIA", ["IIB"] = "IIB",
	["III"] = "III", ["IIIA"] = "IIIA", ["IIIB"] = "IIIB", ["IIIC"] = "IIIC", ["IV"] = "IV",
	["IVA"] = "IVA", ["IVB"] = "IVB",
}
local TNM = {
	["snomed:1228938002"] = "T3", ["snomed:1229859000"] = "T3", ["snomed:1229901006"] = "M0",
	["snomed:1229947003"] = "N0", ["snomed:1229967007"] = "N0", ["snomed:1229984001"] = "N3",
}
local VALUE = "valueCodeableConcept"

-- An attribute of its own for observations with one of these codes.
local function marker(attribute, codes, rest)
	rest.attribute, rest.when = attribute, { ["code"] = codes }
	rest.from = rest.from or VALUE
	return fact(rest)
end

resource {
	type = "Observation", entity = "observation",
	withdrawn = { ["status"] = { "entered-in-error", "cancelled" } },
	fact { attribute = "observation", from = "code" },
	fact { attribute = "observation_date", as = "day",
		from = { "effectiveDateTime", "effectivePeriod.start", "effectiveInstant", "issued" } },
	fact { attribute = "observation_value", as = "number", from = { "valueQuantity", "valueInteger" } },
	fact { attribute = "observation_unit", as = "unit", from = "valueQuantity" },
	fact { attribute = "observation_result", from = VALUE },
	marker("er", { "loinc:16112-5", "loinc:85337-4", "loinc:40556-3", "loinc:14228-1" },
		{ as = "map", map = SIGNS, from = { VALUE, "interpretation" } }),
	marker("pr", { "loinc:16113-3", "loinc:85339-0", "loinc:40557-1", "loinc:14230-7" },
		{ as = "map", map = SIGNS, from = { VALUE, "interpretation" } }),
	marker("her2", { "loinc:72383-3", "loinc:85319-2", "loinc:85328-3", "loinc:48676-1", "loinc:18474-7" },
		{ as = "map", map = { ["loinc:LA6111-4"] = "0", ["loinc:LA11841-6"] = "1+", ["loinc:LA11842-4"] = "2+",
			["loinc:LA11843-2"] = "3+" } }),
	marker("psa", { "loinc:2857-1", "loinc:35741-8", "loinc:19195-7" },
		{ as = "number", from = "valueQuantity", units = { ["ng/mL"] = 1, ["ug/L"] = 1 } }),
	marker("ki67", { "loinc:29593-1", "loinc:85329-1", "loinc:85330-9" },
		{ as = "number", from = "valueQuantity", units = { ["%"] = 1, ["1"] = 100 } }),
	marker("gleason", { "loinc:35266-6", "loinc:94737-4" },
		{ as = "number", from = { "valueInteger", "valueQuantity" } }),
	marker("isup", { "loinc:94734-1", "snomed:385377005" },
		{ as = "map", map = { ["snomed:1279718003"] = "4" } }),
	marker("ecog", { "loinc:89247-1", "loinc:89262-0", "snomed:423740007" },
		{ as = "number", from = { "valueInteger", "valueQuantity" } }),
	marker("ecog", { "loinc:89247-1" },
		{ as = "map", map = { ["loinc:LA9622-7"] = "0", ["loinc:LA9623-5"] = "1", ["loinc:LA9624-3"] = "2",
			["loinc:LA9625-0"] = "3", ["loinc:LA9626-8"] = "4", ["loinc:LA9627-6"] = "5" } }),
	marker("bi_rads", { "radlex:RID36027" }, { as = "number", from = "valueInteger" }),
	marker("pi_rads", { "radlex:RID50295" }, { as = "number", from = "valueInteger" }),
	marker("clinical_t", { "loinc:21905-5", "snomed:399504009" }, { as = "tnm", map = TNM }),
	marker("clinical_n", { "loinc:21906-3", "snomed:399534004" }, { as = "tnm", map = TNM }),
	marker("clinical_m", { "loinc:21907-1", "snomed:399387003" }, { as = "tnm", map = TNM }),
	marker("pathological_t", { "loinc:21899-0", "snomed:384625004" }, { as = "tnm", map = TNM }),
	marker("pathological_n", { "loinc:21900-6", "snomed:371494008" }, { as = "tnm", map = TNM }),
	marker("pathological_m", { "loinc:21901-4", "snomed:371497001" }, { as = "tnm", map = TNM }),
	marker("stage_group", { "loinc:21908-9", "loinc:21902-2", "loinc:21914-7", "snomed:399537006",
			"snomed:399588009", "snomed:385361009" },
		{ as = "map", map = STAGES, from = { VALUE, VALUE .. ".coding.code" } }),
	marker("histologic_grade", { "loinc:33732-9", "snomed:371469007" },
		{ as = "map", map = { ["snomed:54102005"] = "G1", ["snomed:1663004"] = "G2", ["snomed:61026006"] = "G3" } }),
	fact { attribute = "vital_status", of = "patient", as = "map", from = VALUE,
		when = { ["code"] = { "loinc:75186-7" } },
		map = { ["snomed:438949009"] = "alive", ["snomed:419099009"] = "deceased" } },
}

-- What a report concludes in codes; its text stays where it is.
resource {
	type = "DiagnosticReport", entity = "observation",
	withdrawn = { ["status"] = { "entered-in-error", "cancelled" } },
	fact { attribute = "observation", from = "code" },
	fact { attribute = "observation_date", as = "day",
		from = { "effectiveDateTime", "effectivePeriod.start", "issued" } },
	fact { attribute = "observation_result", from = "conclusionCode" },
}

-- ---- procedures -----------------------------------------------------------------------------------

local KINDS = {
	["snomed:387713003"] = "surgery", ["snomed:108290001"] = "radiotherapy",
	["snomed:86273004"] = "biopsy", ["snomed:363679005"] = "imaging",
	["snomed:1287742003"] = "radiotherapy", -- mCODE radiotherapy course summary
	["snomed:71651007"] = "imaging", ["snomed:723990008"] = "biopsy", ["snomed:274474001"] = "biopsy",
	["snomed:122548005"] = "biopsy", ["snomed:392021009"] = "surgery", ["snomed:173171007"] = "surgery",
}

resource {
	type = "Procedure", entity = "procedure",
	withdrawn = { ["status"] = { "entered-in-error", "not-done" } },
	fact { attribute = "procedure", from = "code" },
	fact { attribute = "procedure_date", as = "day", from = { "performedDateTime", "performedPeriod.start" } },
	fact { attribute = "procedure_kind", as = "map", from = { "category", "code" }, map = KINDS },
	fact { attribute = "procedure_site", from = "bodySite" },
}

-- An imaging study as the record knows it; the images' own facts come with the images.
resource {
	type = "ImagingStudy", entity = "procedure",
	withdrawn = { ["status"] = { "entered-in-error", "cancelled" } },
	fact { attribute = "procedure", from = "procedureCode" },
	fact { attribute = "procedure_date", as = "day", from = "started" },
	fact { attribute = "procedure_kind", as = "map", from = "resourceType", map = { ["ImagingStudy"] = "imaging" } },
	fact { attribute = "procedure_site", from = "series.bodySite" },
}

-- ---- medication -----------------------------------------------------------------------------------

for type, date in pairs {
	MedicationRequest = { "authoredOn" },
	MedicationAdministration = { "effectiveDateTime", "effectivePeriod.start" },
	MedicationStatement = { "effectiveDateTime", "effectivePeriod.start", "dateAsserted" },
} do
	resource {
		type = type, entity = "medication",
		withdrawn = { ["status"] = { "entered-in-error", "not-done", "not-taken" } },
		fact { attribute = "medication", from = "medicationCodeableConcept" },
		fact { attribute = "medication_date", as = "day", from = date },
		fact { attribute = "medication_status", as = "map", from = "status",
			map = { "active", "completed", "stopped", "on-hold", "cancelled", "draft", "intended" } },
	}
end

-- ---- specimens ------------------------------------------------------------------------------------

resource {
	type = "Specimen", entity = "specimen",
	withdrawn = { ["status"] = ENTERED_IN_ERROR },
	fact { attribute = "specimen_type", from = "type" },
	fact { attribute = "specimen_date", as = "day",
		from = { "collection.collectedDateTime", "collection.collectedPeriod.start", "receivedTime" } },
	fact { attribute = "specimen_site", from = "collection.bodySite" },
}
